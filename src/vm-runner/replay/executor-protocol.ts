/**
 * What the protocol of the pair (I/O thread) and the executor of the machine (VM thread) say to
 * each other. Everything is plain data: it crosses a thread in production and a function call in
 * the simulator. Both directions keep their order.
 *
 *     pair  --command-->  executor        executor  --event-->  pair
 */
import type { ConsoleHistory, MachineOutput } from "../machine/machine.ts";
import type { LogInput, StepIndex, VirtualUs } from "./log-entry.ts";

/** Encoded log entries that travel and are acknowledged together (see the codec). */
export interface Batch {
  readonly first: StepIndex;
  /** Entries in it; 0 is a sign of life. */
  readonly count: number;
  /** Time of the last entry, or of the machine when `count` is 0. */
  readonly timeUs: VirtualUs;
  readonly bytes: Uint8Array;
}

/** What leaves a runner, under the Output Rule. */
export type RunnerOutput =
  | MachineOutput
  /** Of all that a console writer typed, everything below this position is in the log. */
  | { readonly kind: "accepted"; readonly writer: number; readonly position: number }
  /** Of all frames that a gateway had for the guest, those before number `next` are in the log. */
  | { readonly kind: "ingressAccepted"; readonly gateway: number; readonly next: number };

export type ExecutorCommand =
  /**
   * Become the recorder once every entry replayed so far has been executed. `inputs` go into the
   * first entry recorded (the start input, when this is the VM's first life).
   */
  | { readonly kind: "record"; readonly inputs: readonly LogInput[] }
  /** Execute these entries next (backup, or what was acknowledged before going live). */
  | { readonly kind: "replay"; readonly batch: Batch }
  /** Deliver in the next entry. */
  | { readonly kind: "input"; readonly input: LogInput }
  /**
   * Record no entry beyond `through`, and none once the console has printed up to position
   * `printed`: no buffer between here and the outside is overfilled by more than one step's output.
   */
  | { readonly kind: "allowance"; readonly through: StepIndex; readonly printed: number }
  /** Share of time in which steps may run, above 0, at most 1. */
  | { readonly kind: "cpuLimit"; readonly share: number }
  /** Take a snapshot at the next entry for which a spare is ready. */
  | { readonly kind: "takeSnapshot"; readonly id: number }
  /** Give one more chunk of the snapshot; they come between steps. */
  | { readonly kind: "readSnapshot"; readonly id: number }
  /** Let the frozen old instance go. */
  | { readonly kind: "releaseSnapshot"; readonly id: number }
  /** A snapshot is coming: make ready an empty instance for this much memory. */
  | { readonly kind: "beginRestore"; readonly id: number; readonly memoryBytes: number }
  | {
      readonly kind: "restoreChunk";
      readonly id: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** `first`: the snapshot's entry, whose step is the next to run; its inputs are delivered. */
  | {
      readonly kind: "finishRestore";
      readonly id: number;
      readonly first: StepIndex;
      readonly devices: Uint8Array;
      /** SHA-256 over the memory, then the devices. */
      readonly hash: Uint8Array;
    }
  /** Stop recording at the next entry boundary (planned hand-over). */
  | { readonly kind: "pause" }
  /** From here on replay again (the old primary of a hand-over), or record again (`record`). */
  | { readonly kind: "stop" };

export type ExecutorEvent =
  /** The machine exists; nothing has been executed. */
  | { readonly kind: "ready" }
  | { readonly kind: "recorded"; readonly batch: Batch }
  | { readonly kind: "output"; readonly index: StepIndex; readonly output: RunnerOutput }
  /** Every entry up to and including `index` has been executed (`index` -1: none). */
  | { readonly kind: "executed"; readonly index: StepIndex; readonly timeUs: VirtualUs }
  /**
   * The recorder runs; `next` is the first entry it will record, `printed` the position after the
   * last byte that the console printed, `announcement` as in `Machine`. What the gateway may forget
   * follows as an output (`ingressAccepted`).
   */
  | {
      readonly kind: "live";
      readonly next: StepIndex;
      readonly printed: number;
      readonly announcement: Uint8Array | null;
    }
  | { readonly kind: "paused"; readonly next: StepIndex }
  /** The machine continues in a fresh instance; the old one can be read. Before its entry. */
  | {
      readonly kind: "snapshotTaken";
      readonly id: number;
      readonly index: StepIndex;
      readonly memoryBytes: number;
      readonly devices: Uint8Array;
      readonly pauseMs: number;
    }
  | {
      readonly kind: "snapshotChunk";
      readonly id: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
      /** On the last chunk: SHA-256 over the memory, then the devices. */
      readonly hash: Uint8Array | null;
    }
  | { readonly kind: "snapshotFailed"; readonly id: number; readonly message: string }
  | {
      readonly kind: "restored";
      readonly id: number;
      readonly first: StepIndex;
      /** For console readers who come to this runner after a take-over. */
      readonly history: ConsoleHistory;
    }
  | { readonly kind: "restoreFailed"; readonly id: number; readonly message: string }
  /** The guest is off; entry `index` says so (or its step halted the CPU for good). */
  | { readonly kind: "poweredOff"; readonly index: StepIndex }
  | { readonly kind: "diverged"; readonly index: StepIndex; readonly what: string }
  | { readonly kind: "trapped"; readonly index: StepIndex; readonly message: string };
