/**
 * What a runner and a gateway say to each other, over TLS with the VM's key. Frames are numbered in
 * both directions, by the gateway those for the guest and by the guest's own state those that it
 * sent; so after a failover either side sends again exactly what the other has not got.
 *
 *     runner                                  gateway
 *       | attach nonce, epoch ----------------> |  only from the runner in which the guest lives
 *       | <--------- attached gateway, egressNext |  or: closed reason
 *       | <------------- ingress first, frames  |
 *       | ingressAccepted gateway, next ------> |  they are in the log: forget them
 *       | egress first, frames ---------------> |
 *       | announce frame ---------------------> |  "the guest is here now"
 *       | renew epoch ------------------------> |  the same primary, a later epoch
 */
import type { Epoch, Nonce } from "./record.ts";

export type GatewayMessage = RunnerToGateway | GatewayToRunner;

export type RunnerToGateway =
  /** The record names this runner primary in `epoch`, and the guest runs here. */
  | { readonly kind: "attach"; readonly nonce: Nonce; readonly epoch: Epoch }
  | { readonly kind: "renew"; readonly epoch: Epoch }
  /** Frames that the guest sent; `first`: number of the first among all it ever sent. */
  | { readonly kind: "egress"; readonly first: number; readonly frames: readonly Uint8Array[] }
  /** Frames of this gateway before number `next` are in the acknowledged log. */
  | { readonly kind: "ingressAccepted"; readonly gateway: number; readonly next: number }
  /** A frame that the guest did not send, and that has no number. */
  | { readonly kind: "announce"; readonly frame: Uint8Array };

export type GatewayToRunner =
  /**
   * This runner's frames count now. `gateway`: the number by which this gateway process is known in
   * the log. `egressNext`: number of the first frame that it has not got; null: it has none, so only
   * new ones are wanted.
   */
  | { readonly kind: "attached"; readonly gateway: number; readonly egressNext: number | null }
  | { readonly kind: "ingress"; readonly first: number; readonly frames: readonly Uint8Array[] }
  /** The last message: why this runner's frames do not count (any more). */
  | { readonly kind: "closed"; readonly reason: CloseReason; readonly epoch: Epoch };

/**
 * - `stale epoch`: the gateway knows a later one, `epoch`.
 * - `not the primary`: in this epoch the record names somebody else.
 * - `superseded`: a later epoch's runner has come.
 * - `too many runners`: more connections than a VM can have runners.
 */
export type CloseReason = "stale epoch" | "not the primary" | "superseded" | "too many runners";
