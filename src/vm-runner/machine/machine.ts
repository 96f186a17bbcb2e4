/**
 * The deterministic machine, as everything else sees it: a function from log entries to outputs.
 * The same sequence of entries gives the same outputs and the same state, on every runner with the
 * same fingerprint. `v86.ts` is the real one; the simulator brings a small one of its own.
 */
import type { LogEntry, VirtualUs } from "../replay/log-entry.ts";

export interface Machine {
  /**
   * Delivers the entry's inputs (console bytes, start) and runs one step: about 100,000
   * instructions, or fewer up to `hlt`. Control inputs (snapshot, power off) are the caller's.
   * A trap inside the step throws `MachineTrap`; the machine is unusable afterwards.
   */
  step(entry: LogEntry): StepResult;

  /** Delivers the entry's inputs without running the step: the moment of a snapshot. */
  deliver(entry: LogEntry): void;
  /** Runs the step of an entry whose inputs were delivered. */
  run(): StepResult;

  /** Checksums of the state as it is now, between two steps. */
  registers(): RegisterChecks;
  /** CRC32C of window `number` (modulo their count) of guest memory, `windowBytes` long. */
  windowChecksum(number: number): number;

  /** What the console printed last: at most `limits.consoleHistoryBytes`, and where it starts. */
  consoleHistory(): ConsoleHistory;
  /**
   * Position after the last byte taken from this console writer; 0 for one that the guest's state
   * does not know (never seen, or forgotten among more than `limits.consoleWritersMax`).
   */
  writerPosition(writer: number): number;
  /** Console bytes the guest can still be sent; of an entry that brings more the rest is not taken. */
  readonly consoleInputRoom: number;
  /** Frames that the guest's network card has room for; of an entry that brings more the rest is lost. */
  readonly ingressRoom: number;
  /**
   * How far the card has taken the frames of the gateway that sent last; null before the first.
   * Frames of any other gateway begin anew.
   */
  readonly ingress: IngressPosition | null;
  /**
   * The frame by which a new primary tells the network where the guest's address is now (gratuitous
   * ARP, or RARP while the guest's IPv4 address is not known); null before the card has an address.
   */
  readonly announcement: Uint8Array | null;
  /** The guest has asked for its personality and no start input has come: a shared boot ends here. */
  readonly awaitsPersonality: boolean;

  /** Makes a fresh instance ready to move into; the machine may run steps meanwhile. */
  prepareSpare(): Promise<void>;
  readonly spareReady: boolean;
  /**
   * Copies the whole state into the spare instance, checks it, and continues there. Resolves
   * without a turn of the event loop. The old instance stays frozen as the returned source.
   * Rejects with the machine still running in the old instance when the copy did not work.
   */
  move(): Promise<SnapshotSource>;
}

export interface StepResult {
  readonly outputs: readonly MachineOutput[];
  /** The guest waits for an interrupt (`hlt`); nothing happens before an input or `wakeUs`. */
  readonly idle: boolean;
  /** Virtual microseconds from the step's start until the guest's next timer; 0 when not idle. */
  readonly wakeUs: number;
  /** The next entry's time must not be below this: the clock as last read inside the step. */
  readonly endUs: VirtualUs;
  /** The CPU is halted with interrupts disabled: the guest has powered off. */
  readonly poweredOff: boolean;
}

/** What leaves the machine; it waits for the Output Rule. Disk writes join later. */
export type MachineOutput = ConsoleOutput | EgressOutput;

export interface ConsoleOutput {
  readonly kind: "console";
  /** Position of the first byte in all that the console ever printed: part of the guest's state. */
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** All Ethernet frames that the guest sent in one step. */
export interface EgressOutput {
  readonly kind: "egress";
  /** Number of the first frame among all that the guest ever sent: part of the guest's state. */
  readonly first: number;
  /** At least one. */
  readonly frames: readonly Uint8Array[];
}

export interface IngressPosition {
  readonly gateway: number;
  /** Number of the first frame that was not taken. */
  readonly next: number;
}

export interface ConsoleHistory {
  /** Position of the first of `bytes` in all that the console ever printed. */
  readonly position: number;
  readonly bytes: Uint8Array;
}

/**
 * CRC32C over the CPU's state, the instruction counter and all outputs so far, and one byte folded
 * from each register by itself, so that a divergence can name the register. Order of `names`:
 * `registerNames`.
 */
export interface RegisterChecks {
  readonly all: number;
  readonly folded: Uint8Array;
}

export const registerNames = [
  "eax",
  "ecx",
  "edx",
  "ebx",
  "esp",
  "ebp",
  "esi",
  "edi",
  "eip",
  "eflags",
  "instruction counter",
  "outputs",
] as const;

/** Bytes of guest memory that one window's checksum covers. */
export const windowBytes = 16_384;

/** A frozen state to be hashed and streamed, a chunk at a time, between steps. */
export interface SnapshotSource {
  /** Everything but the memory: devices, clock, random state, console position. */
  readonly devices: Uint8Array;
  readonly memoryBytes: number;
  /** A copy of `length` bytes of memory at `offset`. */
  read(offset: number, length: number): Uint8Array;
  /** The memory may be reused; `read` must not be called again. */
  release(): void;
}

/** Where a received snapshot is put together; `finish` gives the running machine. */
export interface SnapshotTarget {
  write(offset: number, bytes: Uint8Array): void;
  /** The machine in exactly the state that the source's machine moved into. */
  finish(devices: Uint8Array): Promise<Machine>;
}

/** A trap or an exception inside a step; if the guest can cause it, it stops both halves. */
export class MachineTrap extends Error {
  override readonly name = "MachineTrap";
}
