/**
 * A runner's VM thread: the real executor over the simulated machine. It says things to the
 * protocol of the pair as one thread does to another: in order, and a little later.
 */
import { signOfLifeMs } from "../../../src/shared/limits.ts";
import type { Machine, SnapshotTarget } from "../../../src/vm-runner/machine/machine.ts";
import type { Next } from "../../../src/vm-runner/replay/execution.ts";
import { Executor } from "../../../src/vm-runner/replay/executor.ts";
import type {
  ExecutorCommand,
  ExecutorEvent,
} from "../../../src/vm-runner/replay/executor-protocol.ts";
import { newSha256 } from "../machine/sha256.ts";
import type { Agenda, DriftingClock } from "./clock.ts";
import type { Random } from "./random.ts";

/** What one turn of the executor takes. */
export const turnMs = 0.2;
/** What was said to another thread arrives within this. */
const threadMsMax = 0.3;
/** Making, or moving into, a fresh instance takes up to this long. */
const instanceMsMax = 20;

export interface VmThreadParts {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly clock: DriftingClock;
  readonly machine: Machine;
  readonly newTarget: (memoryBytes: number) => Promise<SnapshotTarget>;
  /** At the moment at which the executor says it. */
  readonly onSaid: (event: ExecutorEvent) => void;
  /** When the other thread hears it. */
  readonly onEvents: (events: readonly ExecutorEvent[]) => void;
}

export class SimulatedVmThread {
  /** What one step takes: a slow computer has more. */
  stepMs = turnMs;
  readonly #parts: VmThreadParts;
  readonly #executor: Executor;
  #standing = 0;
  #ended = false;
  /** Calls a planned turn off: only the newest plan counts. */
  #plan = 0;
  #plannedMs = Number.POSITIVE_INFINITY;
  #awaiting = false;
  #saidMs = 0;

  constructor(parts: VmThreadParts) {
    this.#parts = parts;
    const { machine, newTarget } = parts;
    this.#executor = new Executor({ machine, startUs: 0, newTarget, newHash: newSha256 });
    this.#turnIn(0);
  }

  command(command: ExecutorCommand): void {
    this.#executor.command(command);
    this.#turnIn(this.stepMs);
  }

  /** A fault holds the thread; several may at once. */
  stand(): void {
    this.#standing++;
  }

  goOn(): void {
    this.#standing--;
    this.#turnIn(0);
  }

  end(): void {
    this.#ended = true;
  }

  #turnIn(ms: number): void {
    const { agenda } = this.#parts;
    const atMs = agenda.nowMs + ms;
    if (this.#awaiting || atMs >= this.#plannedMs) return;
    this.#plannedMs = atMs;
    this.#plan++;
    const plan = this.#plan;
    agenda.after(ms, () => {
      if (plan !== this.#plan || this.#ended || this.#standing > 0) {
        if (plan === this.#plan) this.#plannedMs = Number.POSITIVE_INFINITY;
        return;
      }
      this.#plannedMs = Number.POSITIVE_INFINITY;
      this.#turn();
    });
  }

  #turn(): void {
    const { clock, agenda, onSaid } = this.#parts;
    const { events, next } = this.#executor.turn(Math.round(clock.nowMs * 1000));
    for (const event of events) onSaid(event);
    if (events.length > 0) this.#say(events);
    if (next.kind === "await") {
      this.#await(next.promise);
      return;
    }
    // The promise of a spare may be under way.
    if (next.kind === "yield") agenda.settle();
    this.#turnIn(Math.max(this.stepMs, this.#sleepMs(next)));
  }

  #sleepMs(next: Next): number {
    if (next.kind !== "sleep" && next.kind !== "yield") return 0;
    return this.#parts.clock.inWorldMs(Math.min(next.us / 1000, signOfLifeMs));
  }

  #await(promise: Promise<void>): void {
    const { agenda } = this.#parts;
    this.#awaiting = true;
    agenda.settle();
    void promise.then(() => {
      this.#awaiting = false;
      this.#turnIn(this.stepMs);
    });
  }

  #say(events: readonly ExecutorEvent[]): void {
    const { agenda, random, onEvents } = this.#parts;
    this.#saidMs = Math.max(this.#saidMs, agenda.nowMs + threadMsMax * random());
    agenda.after(this.#saidMs - agenda.nowMs, () => onEvents(events));
  }
}

/** Resolves after a moment of the world's time, as making a fresh instance does. */
export function instanceMade(agenda: Agenda, random: Random): Promise<void> {
  return new Promise((resolve) => {
    agenda.after(instanceMsMax * random(), () => {
      agenda.settle();
      resolve();
    });
  });
}
