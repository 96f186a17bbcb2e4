/**
 * What happens in a simulated world, as the simulator itself sees it at the edges of the cores: the
 * network's deliveries, the machine's steps, the record's store, the console's readers. Checkers
 * judge by these alone, and `--trace` prints them, one a line.
 */
import type { Epoch, Nonce, RecordOutcome, VmRecord } from "../../src/shared/protocol/record.ts";
import type {
  ExitReason,
  PairEffect,
  PairInput,
  Role,
} from "../../src/vm-runner/failover/pair-types.ts";
import type { RunnerRequest } from "../../src/vm-runner/failover/record-view.ts";
import type { MachineOutput } from "../../src/vm-runner/machine/machine.ts";
import type { Batch, RunnerOutput } from "../../src/vm-runner/replay/executor-protocol.ts";
import type { LogEntry, StepIndex } from "../../src/vm-runner/replay/log-entry.ts";
import type { Fault } from "./scenario.ts";

export type SimEvent = { readonly atMs: number } & Happening;

/** A computer of the world: "a", "b", "c" for runners; "arbiter"; "client". */
export type Node = string;

/**
 * Names a history of the log: a hash over every entry up to one (kept by the simulated machine for
 * the checkers; the guest never reads it). Equal chains: equal logs.
 */
export type Chain = number;

/** One step as the simulated machine made it. */
export interface ExecutedStep {
  readonly entry: LogEntry;
  /** Of all entries up to and including this one. */
  readonly chain: Chain;
  /** The chain before this entry. */
  readonly parent: Chain;
  /** Of the whole state after the step, hidden state included. */
  readonly fingerprint: number;
  readonly outputs: readonly MachineOutput[];
  /** Frames that the guest's card took with the entry. */
  readonly taken: readonly Uint8Array[];
}

export type Answer =
  | { readonly kind: "outcome"; readonly outcome: RecordOutcome }
  | { readonly kind: "record"; readonly record: VmRecord | null }
  /** The asker gave up; the request may have been granted, or may be yet. */
  | { readonly kind: "none" };

export type Happening =
  /** The process takes part in this life of the VM: it makes or follows its log. */
  | { readonly kind: "joined"; readonly process: Nonce; readonly life: Epoch }
  /** The process counts its other half as lost, that long after it heard it (null: never did). */
  | {
      readonly kind: "suspected";
      readonly process: Nonce;
      readonly reason: string;
      readonly silentMs: number | null;
    }
  /** A console client was told in which life of the VM its guest is. */
  | { readonly kind: "follows"; readonly writer: number; readonly life: Epoch }
  | { readonly kind: "started"; readonly process: Nonce; readonly node: Node }
  | {
      readonly kind: "ended";
      readonly process: Nonce;
      readonly node: Node;
      /** null: it was killed. */
      readonly reason: ExitReason | null;
      readonly message: string;
    }
  /** A core took in an input. */
  | {
      readonly kind: "input";
      readonly process: Nonce;
      readonly role: Role["kind"];
      readonly input: PairInput;
      readonly effects: readonly PairEffect[];
    }
  /** Log entries reached the process over the network. */
  | { readonly kind: "received"; readonly process: Nonce; readonly batch: Batch }
  /** The process itself recorded log entries. */
  | { readonly kind: "recorded"; readonly process: Nonce; readonly batch: Batch }
  /** A machine was restored: the inputs of entry `first` are delivered, `chain` includes it. */
  | {
      readonly kind: "restored";
      readonly process: Nonce;
      readonly first: StepIndex;
      readonly chain: Chain;
    }
  | { readonly kind: "executed"; readonly process: Nonce; readonly step: ExecutedStep }
  /** The recorder runs: this process is the primary and `next` is the first entry of its own. */
  | {
      readonly kind: "lived";
      readonly process: Nonce;
      readonly epoch: number;
      readonly next: StepIndex;
      /** Of all entries before `next`; 0 when there are none. */
      readonly chain: Chain;
    }
  /** An output left the process. */
  | {
      readonly kind: "released";
      readonly process: Nonce;
      /** As the process knows the record. */
      readonly epoch: number;
      /** The step that made it; for console history of a snapshot, the step before its entry. */
      readonly index: StepIndex;
      readonly output: RunnerOutput;
    }
  | {
      readonly kind: "asked";
      readonly call: number;
      readonly process: Nonce;
      readonly request: RunnerRequest | { readonly kind: "read" };
    }
  | { readonly kind: "answered"; readonly call: number; readonly answer: Answer }
  /** The store made this record durable. */
  | { readonly kind: "granted"; readonly record: VmRecord }
  /** A console client gave bytes to its connection library; `position`: in all it ever typed. */
  | {
      readonly kind: "typed";
      readonly writer: number;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  /** A console client was told that the log has everything it typed below `position`. */
  | { readonly kind: "accepted"; readonly writer: number; readonly position: number }
  /** A console client was given output. */
  | {
      readonly kind: "seen";
      readonly writer: number;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  /** A gateway process, and the number by which the log knows it. */
  | { readonly kind: "gatewayStarted"; readonly process: string; readonly gateway: number }
  | { readonly kind: "gatewayEnded"; readonly process: string }
  /** The gateway is about to be told a record that was true some epochs ago. */
  | { readonly kind: "misled"; readonly process: string; readonly epoch: number }
  /** A runner says to the gateway that the guest lives in it; `known`: the epoch of its record. */
  | {
      readonly kind: "claimed";
      readonly process: Nonce;
      readonly epoch: number;
      readonly known: number;
    }
  /** The gateway lets a runner in. */
  | {
      readonly kind: "attached";
      readonly process: string;
      readonly runner: Nonce;
      readonly epoch: number;
    }
  /** The gateway took a frame for the guest. */
  | { readonly kind: "entered"; readonly process: string; readonly frame: Uint8Array }
  /** A frame came out of the gateway, while it took in what this runner said (null: nobody). */
  | {
      readonly kind: "left";
      readonly process: string;
      readonly runner: Nonce | null;
      readonly epoch: number;
      readonly frame: Uint8Array;
    }
  /** A gateway or runner says that it has dropped frames at a bound: so many ever, each way. */
  | {
      readonly kind: "lost";
      readonly process: string;
      readonly ingress: number;
      readonly egress: number;
    }
  /** How full a buffer is: told whenever it has grown. */
  | {
      readonly kind: "buffer";
      readonly process: Nonce;
      readonly buffer: string;
      readonly size: number;
      readonly limit: number;
    }
  /** A fault strikes; one that waits for something (an effect, a message) is told when it does. */
  | { readonly kind: "fault"; readonly fault: Fault }
  /** All faults have ended; from here on the pair has a bounded time to come back. */
  | { readonly kind: "calm" };
