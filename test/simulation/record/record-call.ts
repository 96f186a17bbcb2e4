/** A runner's call for the record, and what a world must offer so that calls can be made in it. */
import type { Nonce, RecordOutcome, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { PairInput } from "../../../src/vm-runner/failover/pair-types.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import type { Answer, Happening, Node } from "../events.ts";
import type { Fault } from "../scenario.ts";
import type { Random } from "../world/random.ts";

/** The computer of the arbiters; for a Lease, of the API server. */
export const arbiterNode: Node = "arbiter";

export interface RecordWorld {
  after(ms: number, run: () => void): void;
  /** Of the record's own purpose. */
  readonly random: Random;
  /** Does what is sent from one computer now reach the other? */
  reachable(from: Node, to: Node): boolean;
  emit(happening: Happening): void;
  /** Runs it in the process: now, or once it no longer stands still; never when it has ended. */
  inProcess(process: Nonce, run: () => void): void;
}

/** What the core of the runner is told. */
export type RecordAnswer = Extract<
  PairInput,
  { kind: "answer" | "noAnswer" | "recordRead" | "recordUnreadable" }
>;

/** What becomes of a request on its way; "late": it lands after its asker gave up. */
export type Fate = Extract<Fault, { kind: "request trouble" }>["fate"] | "served";

export interface Call {
  readonly node: Node;
  readonly process: Nonce;
  readonly request: RunnerRequest | { readonly kind: "read" };
  /** The asker has neither an answer nor given up. */
  readonly open: boolean;
  /** Tells the asker, in its process; only the first answer counts. */
  answer(answer: Answer): void;
}

/** Those who keep the record: arbiters over a disk, or an API server with a Lease. */
export interface RecordKeeper {
  /** Makes the VM's record; nothing else happens meanwhile. */
  create(): void;
  serve(call: Call): void;
  down(arbiter: number, forMs: number): void;
  /** `onStrike`: it happens now. */
  crashAt(arbiter: number, nth: number, forMs: number, onStrike: () => void): void;
  slow(arbiter: number, ms: number, forMs: number): void;
  conflict(times: number, onStrike: () => void): void;
  /** The VM's record is deleted, and nobody sees it any more. */
  vanish(): void;
  /** Whatever waits for its chance to go wrong no longer does. */
  calm(): void;
}

/** What keepers are given. */
export interface Keeping {
  readonly vm: string;
  readonly world: RecordWorld;
  /** One way, on a good day; drawn anew for each message. */
  delayMs(): number;
  /** How long after being sent a late request lands. */
  lateMs(): number;
  /** Draws what becomes of this request; asked once for each that is sent. */
  fateOf(kind: Call["request"]["kind"]): Fate;
  /** The record is durable. */
  onDurable(record: VmRecord): void;
}

export function outcomeAnswer(outcome: RecordOutcome): Answer {
  return { kind: "outcome", outcome };
}
