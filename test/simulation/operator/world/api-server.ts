/**
 * The API server: what is stored, with resourceVersions, finalizers, grace and owners. Every write is told
 * to whoever watches; how late they hear of it is theirs.
 */
import type { FTVirtualMachine } from "../../../../src/operator/api/v1alpha1.ts";
import { keptKinds } from "../../../../src/operator/kube/cluster-view.ts";
import type { RawMetadata, RawObject } from "../../../../src/operator/kube/kubernetes-api.ts";
import type { RawNode, RawPod, RawService } from "../../../../src/operator/kube/observed.ts";
import type { ObjectKind } from "../../../../src/operator/reconcile/observation.ts";
import type { Lease } from "../../../../src/storage-arbiter/record/kube-lease.ts";

export interface SimPod extends RawPod {
  readonly metadata: RawMetadata & { readonly deletionGracePeriodSeconds?: number };
  readonly spec: {
    readonly nodeName?: string;
    readonly terminationGracePeriodSeconds: number;
    readonly containers: readonly { readonly args: readonly string[] }[];
    readonly affinity?: unknown;
  };
}

export interface SimLease extends RawObject {
  readonly spec?: NonNullable<Lease["spec"]>;
}

export interface SimMachine extends FTVirtualMachine {
  readonly metadata: FTVirtualMachine["metadata"] & { readonly resourceVersion: string };
}

/** What is stored under each kind; everything is in one namespace. */
export interface Rows {
  readonly FTVirtualMachine: SimMachine;
  readonly Pod: SimPod;
  readonly Lease: SimLease;
  readonly Node: RawNode;
  readonly Secret: RawService;
  readonly Service: RawService;
  readonly ServiceAccount: RawService;
  readonly Role: RawService;
  readonly RoleBinding: RawService;
  readonly NetworkPolicy: RawService;
  readonly PodDisruptionBudget: RawService;
}

export type Kind = keyof Rows;
const objectKinds: readonly ObjectKind[] = ["Secret", ...keptKinds];
export const kinds: readonly Kind[] = ["FTVirtualMachine", "Pod", "Lease", "Node", ...objectKinds];
export const namespace = "default";

export type Listener = (kind: Kind, name: string, row: Rows[Kind] | null) => void;

type Tables = { readonly [K in Kind]: Map<string, Rows[K]> };

export class ApiServer {
  readonly #tables: Tables;
  readonly #listeners: Listener[] = [];
  #version = 1;
  #uids = 0;

  constructor() {
    const empty = kinds.map((kind) => [kind, new Map()] as const);
    // SAFETY: one empty table for each kind.
    this.#tables = Object.fromEntries(empty) as unknown as Tables;
  }

  watch(listener: Listener): void {
    this.#listeners.push(listener);
  }

  get<K extends Kind>(kind: K, name: string): Rows[K] | null {
    return this.#tables[kind].get(name) ?? null;
  }

  list<K extends Kind>(kind: K): readonly Rows[K][] {
    return [...this.#tables[kind].values()];
  }

  newUid(): string {
    this.#uids++;
    return `00000000-0000-4000-8000-${String(this.#uids).padStart(12, "0")}`;
  }

  /** Stores `row` under its name, with a new version. */
  put<K extends Kind>(kind: K, row: Rows[K]): Rows[K] {
    const resourceVersion = String(++this.#version);
    const written = { ...row, metadata: { ...row.metadata, resourceVersion } };
    this.#tables[kind].set(row.metadata.name, written);
    this.#tell(kind, row.metadata.name, written);
    return written;
  }

  /** The object goes at once, whatever holds it. */
  erase(kind: Kind, name: string): void {
    if (this.#tables[kind].delete(name)) this.#tell(kind, name, null);
  }

  /** Null: there is one of this name. */
  create<K extends Kind>(kind: K, row: Rows[K]): Rows[K] | null {
    if (this.get(kind, row.metadata.name) !== null) return null;
    return this.put(kind, row);
  }

  /** As DELETE does it; `graceSeconds` null: as its spec says. */
  deletePod(pod: SimPod, graceSeconds: number | null, timestamp: string): void {
    const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    const own =
      ended || pod.spec.nodeName === undefined ? 0 : pod.spec.terminationGracePeriodSeconds;
    const asked = Math.min(own, graceSeconds ?? own);
    const before = pod.metadata.deletionGracePeriodSeconds;
    const grace = before === undefined ? asked : Math.min(before, asked);
    if (grace === before) {
      this.#finish(pod);
      return;
    }
    const metadata = {
      ...pod.metadata,
      deletionTimestamp: pod.metadata.deletionTimestamp ?? timestamp,
      deletionGracePeriodSeconds: grace,
    };
    this.#finish(this.put("Pod", { ...pod, metadata }));
  }

  /** Without `finalizer`; what is being deleted and is held by nothing else goes. */
  release(pod: SimPod, finalizer: string): void {
    const finalizers = (pod.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    if (finalizers.length === (pod.metadata.finalizers ?? []).length) return;
    this.#finish(this.put("Pod", { ...pod, metadata: { ...pod.metadata, finalizers } }));
  }

  deleteMachine(vm: SimMachine, timestamp: string): void {
    if (vm.metadata.deletionTimestamp !== undefined) return;
    const metadata = { ...vm.metadata, deletionTimestamp: timestamp };
    this.finishMachine(this.put("FTVirtualMachine", { ...vm, metadata }));
  }

  finishMachine(vm: SimMachine): void {
    const { deletionTimestamp, finalizers = [], name } = vm.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      this.erase("FTVirtualMachine", name);
    }
  }

  #finish({ metadata }: SimPod): void {
    const { deletionGracePeriodSeconds: grace, finalizers = [], name } = metadata;
    if (grace === 0 && finalizers.length === 0) this.erase("Pod", name);
  }

  #tell(kind: Kind, name: string, row: Rows[Kind] | null): void {
    for (const listener of this.#listeners) listener(kind, name, row);
  }
}

/** Uid of the FTVirtualMachine that controls it. */
export function controllerOf(row: RawObject): string | null {
  return row.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid ?? null;
}
