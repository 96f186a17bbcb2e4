/**
 * What two runners say to each other over the logging channel (the paper, section 2.1 and 2.3).
 * One TLS connection, dialled by whoever is not the primary; both directions keep their order.
 *
 * ```mermaid
 * sequenceDiagram
 *   participant C as candidate
 *   participant P as primary
 *   C->>P: hello (identity, fingerprint, last entry received)
 *   P->>C: welcome, or refuse with the reason
 *   P->>C: snapshotBegin, snapshotChunk …, snapshotEnd
 *   P->>C: batch (the log from the snapshot's entry on, meanwhile and for ever)
 *   C->>P: ack (received, executed)
 *   P->>C: paired (the record names the candidate as backup)
 * ```
 */
import type { Epoch, Nonce, VmRecord } from "../../shared/protocol/record.ts";
import type { Batch } from "../replay/executor-protocol.ts";
import type { StepIndex, VirtualUs } from "../replay/log-entry.ts";

export type ChannelMessage =
  | Hello
  | {
      readonly kind: "welcome";
      readonly nonce: Nonce;
      /** The epoch at which the life began whose log comes. */
      readonly life: Epoch;
      readonly next: StepIndex;
    }
  | { readonly kind: "refuse"; readonly reason: RefuseReason; readonly message: string }
  | { readonly kind: "batch"; readonly batch: Batch }
  | Ack
  | SnapshotBegin
  | SnapshotChunk
  | { readonly kind: "snapshotEnd"; readonly id: number; readonly hash: Uint8Array }
  /** The record changed as the sender says; the receiver reads it before it acts on it. */
  | { readonly kind: "recordChanged"; readonly record: VmRecord }
  /** The sender leaves on purpose and will not come back under this nonce. */
  | { readonly kind: "bye"; readonly reason: ByeReason; readonly message: string };

export interface Hello {
  readonly kind: "hello";
  readonly vm: string;
  readonly nonce: Nonce;
  /** Runners whose fingerprints differ would diverge, so they do not pair. */
  readonly fingerprint: Fingerprint;
  /** The last entry received, -1 for a runner that has nothing and needs a snapshot. */
  readonly received: StepIndex;
}

/** What must be equal on both runners, part by part, so that a refusal can name the part. */
export type Fingerprint = Readonly<Record<string, string>>;

/** The backup acknowledges what it received (Output Rule) and reports what it executed (lag). */
export interface Ack {
  readonly kind: "ack";
  readonly received: StepIndex;
  readonly executed: StepIndex;
  readonly executedUs: VirtualUs;
}

interface SnapshotBegin {
  readonly kind: "snapshotBegin";
  readonly id: number;
  /** The entry whose inputs are delivered and whose step runs next. */
  readonly index: StepIndex;
  readonly memoryBytes: number;
  readonly devices: Uint8Array;
}

interface SnapshotChunk {
  readonly kind: "snapshotChunk";
  readonly id: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export const refuseReasons = [
  "another VM",
  "another version",
  "not the primary",
  "pair complete",
  "log gone",
  "busy",
] as const;

export type RefuseReason = (typeof refuseReasons)[number];

export const byeReasons = ["stopping", "diverged", "trapped", "powered off"] as const;

export type ByeReason = (typeof byeReasons)[number];
