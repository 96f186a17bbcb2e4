/**
 * The way of a runner, a gateway or a command to its VM's record, wherever that is kept. A record that
 * cannot be reached is an expected answer here ("hold the outputs and wait; never guess"), so nothing
 * is thrown for it.
 */
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";

export interface RecordClient {
  /** The record as it is now. `signal` gives up early. */
  read(signal?: AbortSignal): Promise<ReadAnswer>;
  /** Asks for a transition of this VM's record. `signal` gives up early. */
  apply(request: RecordRequest, signal?: AbortSignal): Promise<ApplyAnswer>;
  /** Closes the connection; requests under way get no answer. */
  close(): void;
}

/** Nothing is known of the request's fate: it may have been granted, or may be yet. */
export interface NoAnswer {
  readonly kind: "no answer";
  /** One sentence that says why. */
  readonly message: string;
  /** The arbiter has another key for this VM, or none: asked again, it would say the same. */
  readonly wrongKey: boolean;
}

/** `record` null: there is none. */
export type ReadAnswer = { readonly kind: "read"; readonly record: VmRecord | null } | NoAnswer;
export type ApplyAnswer = RecordOutcome | NoAnswer;
