/**
 * All that the operator watches, in caches that hear of every change: VMs and nodes, and of what it made
 * itself Leases, pods and the other objects. Secrets are not watched: the right to watch them would be the
 * right to read all of them.
 */
import type { Logger } from "../../platform/logging.ts";
import type { Lease } from "../../storage-arbiter/record/kube-lease.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { WatchMetrics } from "../metrics/watch-metrics.ts";
import type { ObjectKind, ObservedNode } from "../reconcile/observation.ts";
import { managedBy } from "../specs/object-metadata.ts";
import type { KubernetesApi, RawObject } from "./kubernetes-api.ts";
import { type Entry, ObjectCache } from "./object-cache.ts";
import {
  type KeptObject,
  type KeptPod,
  leaseEntry,
  machineEntry,
  nodeEntry,
  objectEntry,
  podEntry,
  serviceEntry,
} from "./observed.ts";
import { ResourceWatch } from "./resource-watch.ts";
import { collectionPath, pluralOf, type ResourceKind } from "./resources.ts";

/** Kinds that the operator keeps as they should be. */
export const keptKinds = [
  "Service",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "NetworkPolicy",
  "PodDisruptionBudget",
] as const satisfies readonly ObjectKind[];

export type KeptKind = (typeof keptKinds)[number];

export interface ViewOptions {
  readonly api: KubernetesApi;
  /** null: all. */
  readonly namespaces: readonly string[] | null;
  readonly log: Logger;
  readonly metrics: WatchMetrics;
  readonly random: () => number;
  /** Something of this VM changed, other than its pair. */
  readonly onVm: (vm: string) => void;
  /** Its record or its pods changed: what its runners say has changed with it. */
  readonly onPair: (vm: string) => void;
}

type AnyWatch = Pick<
  ResourceWatch<RawObject, unknown>,
  "name" | "run" | "synced" | "lastTriedMs" | "lastHeardMs" | "restarts"
>;

export class ClusterView {
  readonly machines: ObjectCache<FTVirtualMachine>;
  readonly pods: ObjectCache<KeptPod>;
  readonly leases: ObjectCache<Lease>;
  readonly objects: Readonly<Record<KeptKind, ObjectCache<KeptObject>>>;
  /** By name. */
  readonly nodes = new Map<string, ObservedNode>();
  readonly watches: readonly AnyWatch[];
  readonly #options: ViewOptions;

  constructor(options: ViewOptions) {
    this.#options = options;
    const { onVm, onPair } = options;
    const tell = (before: Entry<unknown> | undefined, after: Entry<unknown> | undefined) => {
      for (const vm of new Set([before?.vm, after?.vm])) if (vm != null) onVm(vm);
    };
    const tellPair = (before: Entry<unknown> | undefined, after: Entry<unknown> | undefined) => {
      for (const vm of new Set([before?.vm, after?.vm])) if (vm != null) onPair(vm);
    };
    this.machines = new ObjectCache<FTVirtualMachine>(tell);
    this.pods = new ObjectCache<KeptPod>(tellPair);
    this.leases = new ObjectCache<Lease>(tellPair);
    const cacheOf = () => new ObjectCache<KeptObject>(tell);
    this.objects = {
      Service: cacheOf(),
      ServiceAccount: cacheOf(),
      Role: cacheOf(),
      RoleBinding: cacheOf(),
      NetworkPolicy: cacheOf(),
      PodDisruptionBudget: cacheOf(),
    };
    const nodes = new ObjectCache<ObservedNode>((before, after) => this.#onNode(before, after));
    this.watches = [
      this.#watch("Node", null, nodes, nodeEntry),
      ...(options.namespaces ?? [null]).flatMap((namespace) => [
        this.#watch("FTVirtualMachine", namespace, this.machines, machineEntry),
        this.#watch("Pod", namespace, this.pods, podEntry),
        this.#watch("Lease", namespace, this.leases, leaseEntry),
        ...keptKinds.map((kind) =>
          kind === "Service"
            ? this.#watch(kind, namespace, this.objects[kind], serviceEntry)
            : this.#watch(kind, namespace, this.objects[kind], objectEntry),
        ),
      ]),
    ];
  }

  /** Everything was listed once. */
  get synced(): boolean {
    return this.watches.every((watch) => watch.synced);
  }

  /** Keys of all VMs of which something is there. */
  vms(): ReadonlySet<string> {
    const caches = [this.machines, this.pods, this.leases, ...Object.values(this.objects)];
    return new Set(caches.flatMap((cache) => [...cache.vms()]));
  }

  /** Watches until `signal`; it never fails. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.watches.map((watch) => watch.run(signal)));
  }

  #watch<Raw extends RawObject, Value>(
    kind: ResourceKind,
    namespace: string | null,
    cache: ObjectCache<Value>,
    entryOf: (raw: Raw) => Entry<Value> | null,
  ): ResourceWatch<Raw, Value> {
    const { api, log, metrics, random } = this.#options;
    const resource = pluralOf(kind);
    return new ResourceWatch({
      ...{ api, log, metrics, random, namespace, cache, entryOf, resource },
      name: namespace === null ? resource : `${resource} in ${namespace}`,
      path: collectionPath(kind, namespace),
      labelSelector:
        kind === "Node" || kind === "FTVirtualMachine"
          ? null
          : `${managedBy.label}=${managedBy.value}`,
      metadataOnly: keptKinds.some((kept) => kept === kind) && kind !== "Service",
    });
  }

  /** VMs with a pod there are concerned, and those that may be waiting for a node. */
  #onNode(before: Entry<ObservedNode> | undefined, after: Entry<ObservedNode> | undefined): void {
    if (after !== undefined) this.nodes.set(after.key, after.value);
    else if (before !== undefined) this.nodes.delete(before.key);
    const name = after?.key ?? before?.key;
    const concerned = new Set<string>();
    for (const { vm, value } of this.pods.all()) {
      if (vm !== null && value.pod.node === name) concerned.add(vm);
    }
    for (const { key, value } of this.machines.all()) {
      if (value.status?.phase !== "Running") concerned.add(key);
    }
    for (const vm of concerned) this.#options.onVm(vm);
  }
}
