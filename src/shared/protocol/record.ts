/**
 * The record: the one truth about who a VM's primary and backup are. It is changed only by
 * compare-and-swap on its epoch (the paper's test-and-set, section 2.3), by the transitions below.
 * Transitions are decided by `src/storage-arbiter/record/transition.ts`.
 */

/** A runner's identity: made afresh at each process start, never a pod's name. */
export type Nonce = string;

/** The fencing token: grows by one with each granted transition. */
export type Epoch = number;

export interface VmRecord {
  /** The VM's unique id: a VM made anew under the same name is another VM. */
  readonly vm: string;
  readonly epoch: Epoch;
  readonly primary: Nonce | null;
  readonly backup: Nonce | null;
  /** How often a backup took over from a lost primary. */
  readonly takeovers: number;
}

/** What is asked of the record; all but `create` name the epoch they expect. */
export type RecordRequest =
  | { readonly kind: "create"; readonly vm: string }
  | { readonly kind: "start"; readonly vm: string; readonly runner: Nonce; readonly epoch: 0 }
  | {
      readonly kind: "pair";
      readonly vm: string;
      readonly runner: Nonce;
      readonly backup: Nonce;
      readonly epoch: Epoch;
    }
  | {
      readonly kind: "takeover" | "alone" | "handover" | "stop";
      readonly vm: string;
      readonly runner: Nonce;
      readonly epoch: Epoch;
    }
  | {
      readonly kind: "restart";
      readonly vm: string;
      readonly runner: Nonce;
      readonly epoch: Epoch;
      /** The operator's word that both named processes are proven gone and the fences closed. */
      readonly bothProvenGone: true;
    };

/**
 * Why a request was refused; the current record (null: there is none) travels with it.
 *
 * - `missing record`: nothing is known of this VM; only `create` is answered.
 * - `record exists`: `create` for a VM that has already been started.
 * - `already started`: `start` for a VM that has left epoch 0.
 * - `stale epoch`: another transition was granted at the epoch that the request expects.
 * - `unknown epoch`: the request expects an epoch that the record has not reached: the record
 *   went back, for instance because an old copy of the store was restored. Nothing is granted.
 * - `not the primary`, `not the backup`: the record at that epoch names somebody else.
 * - `no backup`: a hand-over with nobody to hand over to.
 * - `own backup`: a runner cannot be its own backup.
 * - `already named`: `restart` into a runner that the record names, so it is not proven gone.
 * - `another VM`: the record belongs to a different VM.
 */
export type RefusalReason =
  | "missing record"
  | "record exists"
  | "already started"
  | "stale epoch"
  | "unknown epoch"
  | "not the primary"
  | "not the backup"
  | "no backup"
  | "own backup"
  | "already named"
  | "another VM";

export type RecordOutcome =
  | { readonly kind: "granted"; readonly record: VmRecord }
  | {
      readonly kind: "refused";
      readonly reason: RefusalReason;
      readonly record: VmRecord | null;
    };
