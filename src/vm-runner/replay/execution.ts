/**
 * The machine and how far it has come: what recorder and replayer share, and hand to each other
 * when a backup goes live.
 */
import { assert } from "../../shared/assert.ts";
import type { Machine, MachineOutput } from "../machine/machine.ts";
import type { ExecutorEvent } from "./executor-protocol.ts";
import type { LogEntry, StepIndex, VirtualUs } from "./log-entry.ts";

/** What the shell does until it calls `turn` again. */
export type Next =
  /** Nothing: call again at once. */
  | { readonly kind: "run" }
  /** Wait this long (microseconds), or until there is a command. */
  | { readonly kind: "sleep"; readonly us: number }
  /** Wait for the promise; it does not reject. */
  | { readonly kind: "await"; readonly promise: Promise<void> }
  /** Let the event loop turn, and wait at most this long (microseconds) or until a command. */
  | { readonly kind: "yield"; readonly us: number };

/** What came of one step. */
export type StepOutcome =
  | { readonly kind: "ran"; readonly outputs: readonly MachineOutput[] }
  | { readonly kind: "poweredOff"; readonly outputs: readonly MachineOutput[] }
  | { readonly kind: "trapped"; readonly message: string };

export type Emit = (event: ExecutorEvent) => void;

export class Execution {
  /** The first step not executed. */
  next: StepIndex = 0;
  /** The next entry's time is not below this. */
  timeUs: VirtualUs;
  /** Virtual microseconds that the guest means to sleep; 0 when it computes. */
  sleepUs = 0;
  idle = false;
  /** Nothing runs any more: powered off, diverged or trapped. */
  over = false;
  /** The inputs of entry `next` are part of the state already: it came with a snapshot. */
  delivered = false;
  #machine: Machine | null;

  constructor(machine: Machine | null, startUs: VirtualUs) {
    this.#machine = machine;
    this.timeUs = startUs;
  }

  get machine(): Machine {
    assert(this.#machine !== null, "there is no machine yet: it is to be restored from a snapshot");
    return this.#machine;
  }

  get exists(): boolean {
    return this.#machine !== null;
  }

  /** Continue with a machine that was restored from the snapshot of entry `first`. */
  replace(machine: Machine, first: StepIndex): void {
    this.#machine = machine;
    this.next = first;
    this.timeUs = 0;
    this.sleepUs = 0;
    this.idle = false;
    this.delivered = true;
  }

  /** Runs the step of `entry`, and delivers its inputs before unless that was done. */
  step(entry: LogEntry): StepOutcome {
    assert(entry.index === this.next, `entry ${entry.index} instead of ${this.next}`);
    try {
      const machine = this.machine;
      const result = this.delivered ? machine.run() : machine.step(entry);
      this.delivered = false;
      this.next = entry.index + 1;
      this.timeUs = Math.max(entry.timeUs, Math.ceil(result.endUs));
      this.idle = result.idle;
      const wakeUs = entry.timeUs + Math.ceil(result.wakeUs);
      this.sleepUs = result.idle ? Math.max(0, wakeUs - this.timeUs) : 0;
      const kind = result.poweredOff ? "poweredOff" : "ran";
      return { kind, outputs: result.outputs };
    } catch (error) {
      // Whatever was thrown, the state is unknown: nothing is skipped, the runner stops.
      return { kind: "trapped", message: describe(error) };
    }
  }
}

/** The text of whatever was thrown. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
