/** What every checker is: it watches the events of one run, and throws at the first wrong one. */
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { SimEvent } from "../events.ts";

export const checkerNames = [
  "replay",
  "output rule",
  "single life",
  "consistency after failover",
  "linearizable record",
  "progress",
  "patience",
  "bounds",
  "detection",
  "frames out",
  "frames in",
  /** A core's own assertion failed: in production the process would have stopped. */
  "fail-stop",
] as const;

export type CheckerName = (typeof checkerNames)[number];

export class Violation extends Error {
  override readonly name = "Violation";
  readonly checker: CheckerName;

  constructor(checker: CheckerName, message: string) {
    super(message);
    this.checker = checker;
  }
}

/** How a run ended, some time after its faults did. */
export interface Outcome {
  /**
   * goes on: a live primary, and with two computers a pair, that answers every client. switched
   * off: the record names nobody any more. lost: no process that the record names lives. stuck:
   * none of these within the bound.
   */
  readonly ending: "goes on" | "switched off" | "lost" | "stuck";
  readonly record: VmRecord;
  readonly alive: readonly Nonce[];
  /** State of the whole world in words, for the message of a violation. */
  readonly describe: () => string;
}

export interface Checker {
  /** Throws a `Violation`. */
  observe(event: SimEvent): void;
  /** Once, when the run has ended; throws a `Violation`. */
  finish(outcome: Outcome): void;
}
