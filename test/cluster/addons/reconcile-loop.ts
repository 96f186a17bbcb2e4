/**
 * Runs a controller: whenever something that it watches has changed, and every second, since not all
 * that it depends on can be watched. A round that fails is told, and done again.
 */
import { setTimeout as pause } from "node:timers/promises";

type Report = (line: string) => void;

interface Controller {
  readonly watched: readonly {
    readonly isListed: boolean;
    run(signal: AbortSignal, report: Report): Promise<void>;
  }[];
  reconcile(report: Report): Promise<void>;
}

/** Changes come in bursts: a pod that starts changes several times at once. */
const gatherMs = 20;
const resyncMs = 1000;

/** A change that came while the loop was at work counts. */
export class ChangeSignal {
  #wake: () => void = () => {};
  #isRaised = false;

  readonly raise = (): void => {
    this.#isRaised = true;
    this.#wake();
  };

  async next(timeoutMs: number): Promise<void> {
    if (!this.#isRaised) {
      const stop = new AbortController();
      const raised = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([raised, pause(timeoutMs, undefined, { signal: stop.signal })]);
      stop.abort();
    }
    this.#isRaised = false;
  }
}

/** Resolves after `signal`. */
export async function runController(
  controller: Controller,
  changes: ChangeSignal,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<void> {
  const watches = controller.watched.map((watch) => watch.run(signal, report));
  while (!signal.aborted) {
    await changes.next(resyncMs);
    await pause(gatherMs);
    if (!controller.watched.every(({ isListed }) => isListed)) continue;
    try {
      await controller.reconcile(report);
    } catch (error) {
      report(error instanceof Error ? error.message : String(error));
    }
  }
  await Promise.all(watches);
}
