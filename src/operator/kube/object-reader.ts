/**
 * What the caches do not have is asked of the API server itself before anybody believes that it is not
 * there: a cache may be a moment behind, and somebody may have taken away the label by which it hears.
 */
import { objectNames, podOfNonce } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { ObjectKind, ObservedNode, ObservedRecord } from "../reconcile/observation.ts";
import { isOutdated, needsNewestNode } from "../reconcile/sight.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { KubernetesApi, RawObject } from "./kubernetes-api.ts";
import { apiErrorCode } from "./kubernetes-api-error.ts";
import type { Entry } from "./object-cache.ts";
import {
  type KeptObject,
  type KeptPod,
  leaseEntry,
  nodeEntry,
  objectEntry,
  observedRecord,
  podEntry,
  type RawNode,
  type RawPod,
  serviceEntry,
} from "./observed.ts";
import { objectPath, type ResourceKind } from "./resources.ts";
import { vmKey } from "./vm-key.ts";

/** A Secret that was there is looked at again after so long. */
const secretMsMax = 60_000;

export class ObjectReader {
  readonly #api: KubernetesApi;
  readonly #view: ClusterView;
  /** By path; Secrets that were seen. */
  readonly #secrets = new Map<
    string,
    { readonly entry: Entry<KeptObject>; readonly atMs: number }
  >();

  constructor(api: KubernetesApi, view: ClusterView) {
    this.#api = api;
    this.#view = view;
  }

  async record(vm: FTVirtualMachine): Promise<ObservedRecord> {
    const { namespace, uid, name } = vm.metadata;
    const known = this.#view.leases.get(`${namespace}/${objectNames(name).record}`);
    if (known === undefined) return await this.newestRecord(vm);
    const heard = observedRecord(known.value, uid);
    const isOld = heard.kind === "present" && isOutdated(heard.record, vm);
    return isOld ? await this.newestRecord(vm) : heard;
  }

  /** As it is now, whatever was heard of it. */
  async newestRecord(vm: FTVirtualMachine): Promise<ObservedRecord> {
    const { namespace, uid } = vm.metadata;
    const name = objectNames(vm.metadata.name).record;
    const raw = await this.#read<RawObject>("Lease", namespace, name);
    const entry = raw === null ? null : leaseEntry(raw);
    return entry === null ? { kind: "absent" } : observedRecord(entry.value, uid);
  }

  /** The VM's own pods; those that the record names are there if they are anywhere. */
  async pods(vm: FTVirtualMachine, record: ObservedRecord): Promise<readonly Entry<KeptPod>[]> {
    const { namespace, uid } = vm.metadata;
    const pods = this.#view.pods.ofVm(vmKey(vm)).filter(({ value }) => value.owner === uid);
    if (record.kind !== "present") return pods;
    const named = [record.record.primary, record.record.backup].flatMap((nonce) =>
      nonce === null ? [] : [podOfNonce(nonce)],
    );
    const missing = named.filter((name) => !pods.some(({ value }) => value.pod.name === name));
    const found = missing.map(async (name) => {
      const raw = await this.#read<RawPod>("Pod", namespace, name);
      const entry = raw === null ? null : podEntry(raw);
      return entry !== null && entry.value.owner === uid ? [entry] : [];
    });
    return [...pods, ...(await Promise.all(found)).flat()];
  }

  /** All nodes; those of `pods` are there if they are anywhere, and as new as the pods where that counts. */
  async nodes(pods: readonly Entry<KeptPod>[]): Promise<ReadonlyMap<string, ObservedNode>> {
    const known = this.#view.nodes;
    const wanted = new Set<string>();
    for (const { value } of pods) {
      const { node } = value.pod;
      if (node === null) continue;
      if (!known.has(node) || needsNewestNode(value.pod, known.get(node))) wanted.add(node);
    }
    if (wanted.size === 0) return known;
    const nodes = new Map(known);
    for (const name of wanted) nodes.delete(name);
    const found = [...wanted].map(async (name) => {
      const raw = await this.#read<RawNode>("Node", null, name);
      const entry = raw === null ? null : nodeEntry(raw);
      if (entry !== null) nodes.set(name, entry.value);
    });
    await Promise.all(found);
    return nodes;
  }

  /** `owner`: uid of the VM that it should belong to. */
  async secret(namespace: string, name: string, owner: string): Promise<Entry<KeptObject> | null> {
    const path = objectPath("Secret", namespace, name);
    const known = this.#secrets.get(path);
    const fresh = known !== undefined && performance.now() - known.atMs < secretMsMax;
    if (fresh && known.entry.value.owner === owner) return known.entry;
    const entry = await this.object("Secret", namespace, name);
    if (entry === null) this.#secrets.delete(path);
    else this.#secrets.set(path, { entry, atMs: performance.now() });
    return entry;
  }

  forgetSecret(namespace: string, name: string): void {
    this.#secrets.delete(objectPath("Secret", namespace, name));
  }

  /** Whoever it belongs to; null: there is none. */
  async object(
    kind: ObjectKind,
    namespace: string,
    name: string,
  ): Promise<Entry<KeptObject> | null> {
    const raw = await this.#read<RawObject>(kind, namespace, name);
    if (raw === null) return null;
    return kind === "Service" ? serviceEntry(raw) : objectEntry(raw);
  }

  async #read<Raw>(
    kind: ResourceKind,
    namespace: string | null,
    name: string,
  ): Promise<Raw | null> {
    const path = objectPath(kind, namespace, name);
    const only = metadataKinds.has(kind) ? { only: "object" as const } : {};
    try {
      return await this.#api.send<Raw>({ method: "GET", path, ...only });
    } catch (error) {
      if (apiErrorCode(error) === "not found") return null;
      throw error;
    }
  }
}

/** Of these nothing but the metadata is of interest, or any of the operator's business. */
const metadataKinds: ReadonlySet<ResourceKind> = new Set([
  "Secret",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "NetworkPolicy",
  "PodDisruptionBudget",
]);
