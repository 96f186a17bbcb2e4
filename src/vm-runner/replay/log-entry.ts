/**
 * The log entry: everything from outside that step n of the guest depends on. It is complete
 * before step n runs, so the primary can send entry n and run step n at the same time.
 * (The paper, section 2.1, logs an event when it happens; section 2.2 is the Output Rule.)
 */

/** Number of an entry and of the step that it is the input of; the first is 0. */
export type StepIndex = number;

/** Guest time in microseconds since the VM was first started; it never goes back. */
export type VirtualUs = number;

export interface LogEntry {
  readonly index: StepIndex;
  /** The clock's reading when the step begins. */
  readonly timeUs: VirtualUs;
  /** Delivered in this order, after the clock is set and before the step runs. */
  readonly inputs: readonly LogInput[];
}

export type LogInput =
  | ConsoleInput
  | IngressInput
  | StartInput
  | SnapshotInput
  | StateHashInput
  | PowerOffInput;

/** Bytes typed at the serial console. */
export interface ConsoleInput {
  readonly kind: "console";
  /** Who typed: a 32-bit number that each console client makes for itself. */
  readonly writer: number;
  /** Position of the first byte in all that this writer ever typed: a resent byte is dropped. */
  readonly position: number;
  readonly bytes: Uint8Array;
  /**
   * Only on the way to the recorder, and not logged: the writer was told that everything below this
   * position is in the log. So a writer that the guest has forgotten continues where it was.
   */
  readonly accepted?: number;
}

/** Ethernet frames for the guest's network card. */
export interface IngressInput {
  readonly kind: "ingress";
  /** Which gateway numbered them: a 32-bit number that each gateway process makes for itself. */
  readonly gateway: number;
  /**
   * Number of the first frame among all that this gateway ever had for the guest; the others follow
   * it one by one. A frame whose number the guest's card has passed already is dropped, so a gateway
   * may send again, after a failover, whatever it was not told to be in the log.
   */
  readonly first: number;
  /** At least one. */
  readonly frames: readonly Uint8Array[];
}

/** What makes this VM itself; always in entry 0 and nowhere else. */
export interface StartInput {
  readonly kind: "start";
  /** 32 bytes that seed everything random in the machine and in the guest. */
  readonly seed: Uint8Array;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  /** Real time (milliseconds since 1970, UTC) at this entry's time. */
  readonly wallClockMs: number;
}

/**
 * A snapshot was taken here: after this entry's inputs are delivered, before its step runs. The
 * primary writes it only after its own move worked, so that the only life is never at risk.
 * Every runner that executes this entry continues in a fresh instance restored from it, since an
 * instance that ran on is not equal to one that was restored (TLB, JIT, fields v86 does not save).
 */
interface SnapshotInput {
  readonly kind: "snapshot";
}

/** The hash of the whole state at an earlier snapshot: every runner that executed it compares. */
export interface StateHashInput {
  readonly kind: "stateHash";
  readonly snapshot: StepIndex;
  /** SHA-256 over the memory, then the devices. */
  readonly hash: Uint8Array;
}

/** The plug is pulled: this entry's step does not run, and none after it. */
interface PowerOffInput {
  readonly kind: "powerOff";
}
