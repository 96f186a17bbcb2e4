/**
 * The two ways in which a runner reaches its VM's record and the other half: on one computer an arbiter
 * and a fixed peer; on Kubernetes a Lease, from which it also learns where the other half is.
 */
import { randomBytes } from "node:crypto";
import type { Nonce } from "../../shared/protocol/record.ts";
import { ArbiterClient } from "../../storage-arbiter/record/arbiter-client.ts";
import { inClusterApi } from "../../storage-arbiter/record/in-cluster.ts";
import { LeaseClient } from "../../storage-arbiter/record/lease-client.ts";
import type { LeaseName } from "../../storage-arbiter/record/lease-name.ts";
import type { RecordClient } from "../../storage-arbiter/record/record-client.ts";
import type { Address } from "./endpoint.ts";
import { fixedPeer, LearnedPeers, type PeerPlaces } from "./peer-places.ts";

export type RecordWay =
  | { readonly kind: "arbiter"; readonly arbiter: Address; readonly peer: Address }
  | {
      readonly kind: "lease";
      readonly lease: LeaseName;
      /** Where the others reach this runner. */
      readonly address: string;
      /** The pod that it runs in. */
      readonly pod: string;
    };

export interface RecordAccess {
  /** Of this process. */
  readonly nonce: Nonce;
  readonly record: RecordClient;
  readonly peers: PeerPlaces;
  /** The address that the others know this runner by; null: any of this computer. */
  readonly dialFrom: string | null;
}

export interface OwnNames {
  readonly vm: string;
  readonly key: Uint8Array;
  /** On which this runner listens, and every other one of a VM with a Lease. */
  readonly port: number;
}

/** @throws InClusterError */
export function openRecord(way: RecordWay, { vm, key, port }: OwnNames): RecordAccess {
  // A nonce names a process, not a place: whoever starts again is somebody else.
  const digits = randomBytes(8).toString("hex");
  if (way.kind === "arbiter") {
    const record = new ArbiterClient({ ...way.arbiter, vm, key });
    return { nonce: digits, record, peers: fixedPeer(way.peer), dialFrom: null };
  }
  const { lease, address, pod } = way;
  const nonce = `${pod}_${digits}`;
  const peers = new LearnedPeers({ nonce, host: address, port });
  const record = new LeaseClient({
    ...{ server: inClusterApi(process.env), lease, vm },
    addressOf: (of) => peers.hostOf(of),
    onAddresses: (addresses) => peers.named(addresses),
    now: () => new Date(),
  });
  return { nonce, record, peers, dialFrom: address };
}
