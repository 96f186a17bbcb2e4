/**
 * What becomes of a request when this Lease is the record: the decision of every runner that changes
 * the record by itself. Of two that decide on the same Lease, the API server takes the first
 * write only: the Lease says which version it is.
 */
import type { RecordOutcome, RecordRequest } from "../../shared/protocol/record.ts";
import { type AddressOf, type Lease, leaseWith, recordOfLease } from "./kube-lease.ts";
import { transition } from "./transition.ts";

export type LeaseChange =
  /** Granted, if the API server takes `lease` as the next version. */
  | { readonly kind: "write"; readonly lease: Lease; readonly outcome: Granted }
  /** Refused, or granted before: there is nothing to write. */
  | { readonly kind: "settled"; readonly outcome: RecordOutcome }
  /** The Lease is no record of this VM. One sentence that says why. */
  | { readonly kind: "unusable"; readonly message: string };

type Granted = Extract<RecordOutcome, { readonly kind: "granted" }>;

/** `time`: RFC 3339 with microseconds, for people. */
export function leaseChange(
  lease: Lease,
  request: RecordRequest,
  addressOf: AddressOf,
  time: string,
): LeaseChange {
  const found = recordOf(lease, request.vm);
  if (found.kind === "unusable") return found;
  const { record } = found;
  const outcome = transition(record, request);
  if (outcome.kind === "refused" || outcome.record.epoch === record.epoch) {
    return { kind: "settled", outcome };
  }
  return { kind: "write", lease: leaseWith(lease, outcome.record, addressOf, time), outcome };
}

/**
 * The record of `vm` in the Lease. That of another VM, which has the same name, is unusable and not
 * "missing": somebody's slip of the hand in an annotation must not end the runners of a VM.
 */
export function recordOf(lease: Lease, vm: string): ReturnType<typeof recordOfLease> {
  const found = recordOfLease(lease);
  if (found.kind === "unusable" || found.record.vm === vm) return found;
  const { namespace, name } = lease.metadata;
  const message = `Lease ${namespace}/${name} is the record of VM ${found.record.vm}, not of ${vm}`;
  return { kind: "unusable", message };
}
