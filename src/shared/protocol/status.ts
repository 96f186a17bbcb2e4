/** What a runner tells about itself at `GET /status`; `lockstep status --json` gives both halves. */
import type { Epoch, Nonce } from "./record.ts";

export interface RunnerStatus {
  readonly vm: string;
  /** The name that `lockstep up` gave the pair. */
  readonly name: string;
  readonly nonce: Nonce;
  readonly pid: number;
  readonly role: RunnerRole;
  /** The recorder runs: the guest lives here. */
  readonly live: boolean;
  /** As the record last seen says; null before it was read. */
  readonly epoch: Epoch | null;
  readonly primary: Nonce | null;
  readonly backup: Nonce | null;
  readonly takeovers: number;
  /** How the guest last came to live in this process; null: it never did. */
  readonly lastGoLive: GoLiveStatus | null;
  /** The last step recorded (primary) or executed (backup); -1 before the first. */
  readonly step: number;
  readonly virtualMs: number;
  /** How far the backup is behind in executing; 0 without one. */
  readonly lagEntries: number;
  readonly lagMs: number;
  readonly recentLagMs: Quantiles;
  /** Sent or received since this process began. */
  readonly logBytes: number;
  readonly logEntries: number;
  readonly cpuLimit: number;
  /** How long recent outputs were held by the Output Rule, in milliseconds. */
  readonly outputHoldMs: Quantiles;
  readonly network: NetworkStatus;
  readonly transfers: TransferStatus;
  readonly divergences: number;
  readonly badMessages: number;
}

/** Of the last values measured, in milliseconds. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface GoLiveStatus {
  /** "started", "restarted", "handed over", or why the primary before was suspected to be lost. */
  readonly reason: string;
  /** From that suspicion (or the record's word) until the guest ran on. */
  readonly afterMs: number;
  /** How long ago, when this status was made. */
  readonly agoMs: number;
}

/** `primary` is alone while `backup` in the status is null. */
export type RunnerRole = "candidate" | "joining" | "backup" | "taking over" | "primary" | "stopped";

/** The guest's frames since this process began; all 0 where there is no gateway. */
export interface NetworkStatus {
  /** To a gateway that lets this runner's frames in. */
  readonly attached: boolean;
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** Frames that waited behind too many others. */
  readonly ingressDropped: number;
  readonly egressDropped: number;
  /** How long recent frames were held by the Output Rule, in milliseconds. */
  readonly holdMs: Quantiles;
}

interface TransferStatus {
  readonly running: boolean;
  readonly finished: number;
  readonly failed: number;
  /** Of the last one: the primary's pause, the time until the backup executed, bytes sent. */
  readonly lastPauseMs: number;
  readonly lastMs: number;
  readonly lastBytes: number;
}
