/** The state, the inputs and the effects of the protocol core of the pair (see `pair.ts`). */
import type { Fifo } from "../../shared/fifo.ts";
import type { Epoch, Nonce, RecordOutcome, VmRecord } from "../../shared/protocol/record.ts";
import type { LogBuffer } from "../logging-channel/log-buffer.ts";
import type { ChannelMessage, Fingerprint } from "../logging-channel/messages.ts";
import type { OutputHold } from "../output-rule/output-hold.ts";
import type {
  Batch,
  ExecutorCommand,
  ExecutorEvent,
  RunnerOutput,
} from "../replay/executor-protocol.ts";
import type { ConsoleInput, IngressInput, StepIndex, VirtualUs } from "../replay/log-entry.ts";
import type { PeerWatch } from "./failure-detector.ts";
import type { PairBounds } from "./pair-bounds.ts";
import type { PairTimings } from "./pair-timings.ts";
import type { RecordView, RunnerRequest } from "./record-view.ts";

/** Who this runner is; constant for the life of the process. */
export interface PairConfig {
  readonly vm: string;
  readonly nonce: Nonce;
  readonly fingerprint: Fingerprint;
  readonly bounds: PairBounds;
  readonly timings: PairTimings;
  /**
   * The operator's word that everybody whom the record names at this epoch is proven gone: with the
   * record at exactly this epoch, this runner begins the VM's life anew. Null: nobody said so.
   */
  readonly restartEpoch: Epoch | null;
  /**
   * A runner that is told to leave, and has nobody to hand over to, waits this long for somebody, from
   * the moment it was told, before it switches the VM off. 0 where nobody would come.
   */
  readonly leaveWaitMs: number;
}

/** A connection of the logging channel; each new one gets a new number. */
export type Link = number;

export interface PairState {
  readonly config: PairConfig;
  readonly view: RecordView;
  /** A request to the record's store is under way; the next goes not before `askAgainMs`. */
  readonly asking: boolean;
  readonly askAgainMs: number;
  /** A reading of the record is under way; the next goes not before `readAgainMs`. */
  readonly reading: boolean;
  readonly readAgainMs: number;
  /** The last tick, to notice that this runner itself stood still. */
  readonly tickMs: number;
  /**
   * Which of the VM's lives this runner has a part in: the epoch at which it began. Nothing of one
   * life (log, console, frames) goes on in another. Null: in none yet.
   */
  readonly life: Epoch | null;
  readonly role: Role;
}

export type Role = Candidate | Follower | TakingOver | Primary | Stopped;

/** Has executed nothing: asks for `start`, or looks for the primary to follow. */
export interface Candidate {
  readonly kind: "candidate";
  /** A dial is under way, or a connection waits for the primary's welcome. */
  readonly dialling: boolean;
  readonly link: Link | null;
  /** When the next look at the record, and then the next dial, is due. */
  readonly retryMs: number;
  /** Dials that failed in a row. */
  readonly failedDials: number;
  /** State transfers that were broken off in a row. */
  readonly brokenOff: number;
}

/** Receives a primary's log: at first with a snapshot, then as the named backup. */
export interface Follower {
  readonly kind: "follower";
  readonly primary: Nonce;
  readonly link: Link | null;
  readonly watch: PeerWatch;
  readonly received: StepIndex;
  readonly executed: StepIndex;
  readonly executedUs: VirtualUs;
  /** What the last acknowledgement said was executed. */
  readonly reported: StepIndex;
  readonly machine: FollowerMachine;
  /** State transfers that were broken off in a row before this one. */
  readonly brokenOff: number;
  /** A dial is under way after the connection broke. */
  readonly dialling: boolean;
  /** Why the primary is suspected to be lost; the record is being read. */
  readonly suspicion: string | null;
  readonly suspectedMs: number;
  /** The record has reached this epoch, as the primary says: it is read until that is seen. */
  readonly announced: Epoch;
  /** The guest is off: this runner will not go live. */
  readonly poweredOff: boolean;
  /**
   * The old primary after a planned hand-over, or a backup that was told to stop while it suspects
   * its primary: it exits once it is named no more, or its primary is back.
   */
  readonly leaving: LeaveBy | null;
}

/** Nothing yet; a snapshot on its way; standing at the snapshot's entry or later. */
type FollowerMachine = { readonly kind: "awaited" } | Restoring | { readonly kind: "standing" };

export interface Restoring {
  readonly kind: "restoring";
  readonly id: number;
  readonly index: StepIndex;
  readonly devices: Uint8Array;
  /** The log that came meanwhile; replayed once the machine stands. */
  readonly waiting: Fifo<Batch>;
  readonly waitingBytes: number;
}

/** The backup that has stopped acknowledging for ever and asks for the record. */
export interface TakingOver {
  readonly kind: "takingOver";
  readonly reason: string;
  readonly sinceMs: number;
  /** The last entry acknowledged: all of them are executed before this runner goes live. */
  readonly received: StepIndex;
  readonly poweredOff: boolean;
  /** It was told to leave: it takes over first, and then leaves in order. */
  readonly leaving: LeaveBy | null;
}

/** Named primary, alone or with a follower. */
export interface Primary {
  readonly kind: "primary";
  /** False until everything acknowledged was replayed and the recorder runs. */
  readonly live: boolean;
  readonly log: LogBuffer;
  /** Time of the last entry recorded. */
  readonly timeUs: VirtualUs;
  readonly hold: OutputHold;
  readonly follower: FollowerOfMine | null;
  readonly cpuLimit: number;
  readonly cpuLimitMs: number;
  /** Position after the last byte that the console printed; null before the recorder ran. */
  readonly printed: number | null;
  /** How far the recorder may go, as it was told last. */
  readonly allowance: Allowance;
  /** The log buffer is full, and was not half empty since. */
  readonly logFull: boolean;
  readonly nextTransfer: number;
  /** The snapshot that the executor was asked for and has not answered for. */
  readonly snapshotAsked: number | null;
  /** Planned hand-over: asked by SIGTERM. */
  readonly leaving: Leaving | null;
  /** The entry with which the guest went off. */
  readonly poweredOff: StepIndex | null;
  /** Why and when the take-over began, until the recorder runs. */
  readonly takeover: { readonly reason: string; readonly sinceMs: number } | null;
  /** When the next look at the record is due, while it has no backup. */
  readonly lookMs: number;
}

/** The recorder waits before an entry above `through`, and after printing up to `printed`. */
export interface Allowance {
  readonly through: StepIndex;
  readonly printed: number;
}

/**
 * A runner that was told to leave goes on with the VM until then, if nobody is there to hand over to: for
 * as long as it was configured, from the moment it was told, whatever its role was then.
 */
export interface LeaveBy {
  readonly untilMs: number;
}

/**
 * How far the planned hand-over is: waiting for a backup to be named, for the recorder to stop,
 * for the backup to execute everything (then `handover` is asked).
 */
export type Leaving = LeaveBy &
  (
    | { readonly kind: "waiting" }
    | { readonly kind: "pausing" }
    /** `next` is the first entry that will be the new primary's. */
    | { readonly kind: "draining"; readonly next: StepIndex }
    /** There was nobody to hand over to: the VM is being switched off. */
    | { readonly kind: "poweringOff" }
  );

export interface FollowerOfMine {
  readonly nonce: Nonce;
  readonly link: Link | null;
  readonly watch: PeerWatch;
  readonly acked: StepIndex;
  readonly executed: StepIndex;
  readonly executedUs: VirtualUs;
  readonly phase: FollowerPhase;
}

/**
 * snapshot: asked of the executor. streaming: on its way. catchingUp: it executes the log.
 * gated: its acknowledgements count, `pair` may be asked. paired: the record names it.
 * dismissed: the old primary after a hand-over: it counts until `alone` is granted.
 * lost: it failed; it still counts while the record may name it.
 */
export type FollowerPhase =
  | { readonly kind: "snapshot"; readonly transfer: number; readonly sinceMs: number }
  | Streaming
  | { readonly kind: "catchingUp"; readonly sinceMs: number }
  | { readonly kind: "gated" }
  | { readonly kind: "paired" }
  | { readonly kind: "dismissed" }
  | { readonly kind: "lost" };

interface Streaming {
  readonly kind: "streaming";
  readonly transfer: number;
  readonly sinceMs: number;
  /** The snapshot's entry. */
  readonly index: StepIndex;
  /** The last chunk has been handed to the channel. */
  readonly complete: boolean;
}

interface Stopped {
  readonly kind: "stopped";
  readonly reason: ExitReason;
  readonly message: string;
}

export type ExitReason =
  | "stopped"
  /** Told to leave, it had nobody to hand over to, and switched the VM off. */
  | "left alone"
  | "superseded"
  | "no record"
  | "diverged"
  | "trapped"
  | "refused";

export type PairInput =
  /** Every `tickMs`, more or less: the core has no timers. */
  | { readonly kind: "tick" }
  | { readonly kind: "heartbeat"; readonly nonce: Nonce }
  | { readonly kind: "executor"; readonly event: ExecutorEvent }
  /** A dial of ours succeeded. */
  | { readonly kind: "dialled"; readonly link: Link }
  /** A dial of ours failed; `refused`: nobody listens there. */
  | { readonly kind: "dialFailed"; readonly refused: boolean }
  /** The peer or the arbiter has another key than ours: asked again, it would say the same. */
  | { readonly kind: "wrongKey"; readonly message: string }
  | { readonly kind: "message"; readonly link: Link; readonly message: ChannelMessage }
  | { readonly kind: "linkClosed"; readonly link: Link }
  /** The last snapshot chunk has left: there is room for the next. */
  | { readonly kind: "chunkSent"; readonly id: number }
  | {
      readonly kind: "answer";
      readonly request: RunnerRequest;
      readonly outcome: RecordOutcome;
    }
  | { readonly kind: "noAnswer" }
  | { readonly kind: "recordRead"; readonly record: VmRecord | null }
  | { readonly kind: "recordUnreadable" }
  /** Console bytes or frames for the guest. */
  | { readonly kind: "guestInput"; readonly input: ConsoleInput | IngressInput }
  /** SIGTERM: leave, if possible without a gap. */
  | { readonly kind: "terminate" }
  /** The user switches the VM off. */
  | { readonly kind: "powerOff" };

export type PairEffect =
  | { readonly kind: "executor"; readonly command: ExecutorCommand }
  /** The VM's first entry needs entropy, MAC and clock: `record` with a fresh start input. */
  | { readonly kind: "recordFirstLife" }
  | { readonly kind: "dial" }
  | { readonly kind: "send"; readonly link: Link; readonly message: ChannelMessage }
  | { readonly kind: "hangUp"; readonly link: Link }
  | { readonly kind: "ask"; readonly request: RunnerRequest }
  | { readonly kind: "readRecord" }
  /** Produced by a backup: kept for readers, not shown. */
  | { readonly kind: "remember"; readonly output: RunnerOutput }
  /** May be seen outside; held for `heldMs`. */
  | { readonly kind: "release"; readonly output: RunnerOutput; readonly heldMs: number }
  /** All that was remembered may be seen: this runner is the primary of this life now. */
  | { readonly kind: "releaseRemembered"; readonly life: Epoch }
  /**
   * The guest runs here, in this epoch: the gateway is told, and then the network by `announcement`
   * (null: the guest's card has no address yet).
   */
  | {
      readonly kind: "goLive";
      readonly epoch: Epoch;
      readonly life: Epoch;
      readonly announcement: Uint8Array | null;
    }
  | { readonly kind: "report"; readonly report: PairReport }
  | { readonly kind: "exit"; readonly reason: ExitReason; readonly message: string };

/** What happened, for the log, the metrics and the status line. */
export type PairReport =
  | { readonly kind: "record"; readonly record: VmRecord }
  | { readonly kind: "live"; readonly afterMs: number; readonly reason: string }
  | { readonly kind: "suspected"; readonly reason: string }
  | { readonly kind: "followerLost"; readonly nonce: Nonce; readonly reason: string }
  | { readonly kind: "followerRefused"; readonly nonce: Nonce; readonly message: string }
  | { readonly kind: "transferStarted"; readonly id: number }
  | { readonly kind: "snapshotTaken"; readonly id: number; readonly pauseMs: number }
  | { readonly kind: "transferFinished"; readonly id: number; readonly ms: number }
  | { readonly kind: "transferFailed"; readonly id: number; readonly message: string }
  | { readonly kind: "paired"; readonly backup: Nonce; readonly epoch: number }
  | { readonly kind: "acknowledged"; readonly through: StepIndex }
  | { readonly kind: "lag"; readonly entries: number; readonly ms: number }
  /** More frames were held than the bound allows: the newest are lost, as on a full switch. */
  | { readonly kind: "egressDropped"; readonly frames: number }
  | { readonly kind: "badMessage"; readonly message: string };
