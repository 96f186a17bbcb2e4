/**
 * Whose frames count: those of the primary of the newest epoch that the gateway has heard of, from
 * the record or from a runner (who proved with the VM's key that it belongs to the VM, and attaches
 * only where the record named it). An epoch never goes back, so a primary that was thawed after
 * another took over finds the door closed.
 */
import type { CloseReason } from "../shared/protocol/gateway.ts";
import type { Epoch, Nonce } from "../shared/protocol/record.ts";

/** The newest epoch, and who is primary in it; null: nobody. */
export interface NewestEpoch {
  readonly epoch: Epoch;
  readonly primary: Nonce | null;
}

export interface Claim {
  readonly nonce: Nonce;
  readonly epoch: Epoch;
  /** The epoch in which its guest was booted. */
  readonly life: Epoch;
}

export type Judgement =
  | { readonly kind: "granted"; readonly newest: NewestEpoch }
  | { readonly kind: "refused"; readonly reason: CloseReason };

/** May the runner that claims `claim` send and receive frames? */
export function judgeClaim(newest: NewestEpoch, claim: Claim): Judgement {
  if (claim.epoch < newest.epoch) return { kind: "refused", reason: "stale epoch" };
  if (claim.epoch === newest.epoch && claim.nonce !== newest.primary) {
    return { kind: "refused", reason: "not the primary" };
  }
  return { kind: "granted", newest: { epoch: claim.epoch, primary: claim.nonce } };
}
