/**
 * Runs controllers: whenever something that they watch has changed, and every second, since not all
 * that they depend on can be watched. A round that fails is told, and done again.
 */
import { setTimeout as pause } from "node:timers/promises";

type Report = (line: string) => void;

export interface Controller {
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
export async function runControllers(
  controllers: readonly Controller[],
  changes: ChangeSignal,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<void> {
  const watches = controllers.flatMap(({ watched }) => watched.map((w) => w.run(signal, report)));
  while (!signal.aborted) {
    await changes.next(resyncMs);
    await pause(gatherMs);
    for (const controller of controllers) {
      if (!controller.watched.every(({ isListed }) => isListed)) continue;
      try {
        await controller.reconcile(report);
      } catch (error) {
        report(error instanceof Error ? error.message : String(error));
      }
    }
  }
  await Promise.all(watches);
}
