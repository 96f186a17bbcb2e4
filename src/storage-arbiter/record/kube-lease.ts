/**
 * The record as a Kubernetes Lease: `holderIdentity` is the primary, `leaseTransitions` the epoch;
 * annotations carry the rest. A Lease that says anything else is no record, and refuses everything.
 * The lease's times are for people: no duration decides anything (decisions/0006).
 */
import { noncePattern, vmIdPattern } from "../../shared/protocol/names.ts";
import type { Nonce, VmRecord } from "../../shared/protocol/record.ts";

export const leaseAnnotations = {
  vm: "lockstep.dev/vm-uid",
  backup: "lockstep.dev/backup",
  takeovers: "lockstep.dev/takeovers",
  primaryAddress: "lockstep.dev/primary-address",
  backupAddress: "lockstep.dev/backup-address",
} as const;

/** What is read and written of a Lease; the rest of the object is kept as it is. */
export interface Lease {
  readonly apiVersion: "coordination.k8s.io/v1";
  readonly kind: "Lease";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseTransitions?: number | null;
    readonly renewTime?: string | null;
  };
}

export type LeaseRecord =
  | { readonly kind: "record"; readonly record: VmRecord }
  /** One sentence for the user: what is wrong with it. */
  | { readonly kind: "unusable"; readonly message: string };

/** Where runners listen, as far as it is known. */
export type AddressOf = (nonce: Nonce) => string | null;

/** The record in `lease`. */
export function recordOfLease(lease: Lease): LeaseRecord {
  const annotations = lease.metadata.annotations ?? {};
  const vm = annotations[leaseAnnotations.vm] ?? "";
  const takeovers = annotations[leaseAnnotations.takeovers] ?? "";
  const record: VmRecord = {
    vm,
    epoch: lease.spec?.leaseTransitions ?? 0,
    primary: lease.spec?.holderIdentity || null,
    backup: annotations[leaseAnnotations.backup] || null,
    takeovers: Number(takeovers),
  };
  const problem = wordsProblem(vm, takeovers) ?? rolesProblem(record);
  if (problem === null) return { kind: "record", record };
  const { namespace, name } = lease.metadata;
  return { kind: "unusable", message: `Lease ${namespace}/${name} is no record: ${problem}` };
}

/** Null: the annotations can be read. */
function wordsProblem(vm: string, takeovers: string): string | null {
  if (!vmIdPattern.test(vm)) return `annotation ${leaseAnnotations.vm} is "${vm}"`;
  if (/^(0|[1-9]\d{0,14})$/.test(takeovers)) return null;
  return `annotation ${leaseAnnotations.takeovers} is "${takeovers}"`;
}

/** Null: such a record can be. */
function rolesProblem({ epoch, primary, backup }: VmRecord): string | null {
  if (!Number.isSafeInteger(epoch) || epoch < 0) return `its epoch is ${epoch}`;
  for (const nonce of [primary, backup]) {
    if (nonce !== null && !noncePattern.test(nonce)) return `it names "${nonce}"`;
  }
  if (primary === null && backup !== null) return "it names a backup and no primary";
  if (primary !== null && primary === backup) return "both halves are the same runner";
  return null;
}

/**
 * `lease` changed to say `record`; its resourceVersion stays, so that the API server refuses the change
 * if anybody else was faster. `time`: RFC 3339 with microseconds, for people.
 */
export function leaseWith(
  lease: Lease,
  record: VmRecord,
  addressOf: AddressOf,
  time: string,
): Lease {
  const annotations: Record<string, string> = { ...lease.metadata.annotations };
  const known = addressesOf(lease);
  const set = (name: string, value: string | null) => {
    if (value === null) delete annotations[name];
    else annotations[name] = value;
  };
  const address = (nonce: Nonce | null) =>
    nonce === null ? null : (addressOf(nonce) ?? known.get(nonce) ?? null);
  set(leaseAnnotations.vm, record.vm);
  set(leaseAnnotations.backup, record.backup);
  set(leaseAnnotations.takeovers, String(record.takeovers));
  set(leaseAnnotations.primaryAddress, address(record.primary));
  set(leaseAnnotations.backupAddress, address(record.backup));
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations },
    spec: {
      ...lease.spec,
      holderIdentity: record.primary,
      leaseTransitions: record.epoch,
      renewTime: time,
    },
  };
}

/** Host of each runner that the Lease names, where it is known. */
export function addressesOf(lease: Lease): ReadonlyMap<Nonce, string> {
  const annotations = lease.metadata.annotations ?? {};
  const found = new Map<Nonce, string>();
  const note = (nonce: string | null | undefined, host: string | undefined) => {
    if (nonce && host) found.set(nonce, host);
  };
  note(lease.spec?.holderIdentity, annotations[leaseAnnotations.primaryAddress]);
  note(annotations[leaseAnnotations.backup], annotations[leaseAnnotations.backupAddress]);
  return found;
}
