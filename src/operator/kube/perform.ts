/**
 * The actions of a plan, as requests to the API server. Each may be repeated, and each names by uid what
 * it is about, so that it never meets another object of the same name. What belongs to somebody else is
 * not touched.
 */
import { randomBytes } from "node:crypto";
import { microTime } from "../../platform/micro-time.ts";
import { pskBytes } from "../../platform/psk.ts";
import { type Lease, leaseWith } from "../../storage-arbiter/record/kube-lease.ts";
import {
  fieldManager,
  machineFinalizer,
  objectNames,
  ports,
  runnerFinalizer,
} from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { OperatorMetrics, WriteVerb } from "../metrics/operator-metrics.ts";
import type { Action, KubernetesObject } from "../reconcile/actions.ts";
import type { ObjectKind } from "../reconcile/observation.ts";
import { metadataOf } from "../specs/object-metadata.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { ApiRequest, KubernetesApi, RawObject } from "./kubernetes-api.ts";
import { apiErrorCode, KubernetesApiError } from "./kubernetes-api-error.ts";
import type { Entry } from "./object-cache.ts";
import type { ObjectReader } from "./object-reader.ts";
import {
  type KeptObject,
  leaseEntry,
  machineEntry,
  objectEntry,
  observedObject,
  ownerOf,
  podEntry,
  type RawMachine,
  type RawPod,
  type RawService,
  serviceEntry,
} from "./observed.ts";
import type { OrderAnswer, OrderOptions } from "./orders.ts";
import { collectionPath, objectPath, type ResourceKind } from "./resources.ts";
import type { VmMemory } from "./vm-memory.ts";

export interface PerformerOptions {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly reader: ObjectReader;
  readonly memory: VmMemory;
  readonly metrics: OperatorMetrics;
  /** Asked at the last moment before an order, as before every write. */
  readonly mayOrder: () => boolean;
  readonly orderPowerOff: GiveOrder;
  readonly orderRedial: GiveOrder;
}

type DeletedKind = Extract<Action, { kind: "delete" }>["objectKind"];
type GiveOrder = (options: OrderOptions) => Promise<OrderAnswer>;

const json = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

/** A primary answers at once or is in trouble; the plan asks again. */
const orderTimeoutMs = 2_000;

export class Performer {
  readonly #options: PerformerOptions;

  constructor(options: PerformerOptions) {
    this.#options = options;
  }

  /** @throws KubernetesApiError: with the code `refused`, what was asked is not wanted as it is */
  async perform(vm: FTVirtualMachine, action: Action): Promise<void> {
    switch (action.kind) {
      case "addFinalizer":
        return await this.#setFinalizer(vm, true);
      case "removeFinalizer":
        return await this.#setFinalizer(vm, false);
      case "createRecord":
        return await this.#createRecord(vm);
      case "createKey":
        return await this.#createKey(vm, action.object);
      case "apply":
        return await this.#apply(vm, action.objectKind, action.object);
      case "delete":
        return await this.#delete(vm, action.objectKind, action.name);
      case "createPod":
        return await this.#createPod(vm, action.pod);
      case "deletePod":
        return await this.#deletePod(vm, action);
      case "releasePod":
        return await this.releasePod(vm.metadata.namespace, action.name, action.uid);
      case "labelPod":
        return await this.#labelPod(vm, action);
      case "powerOff":
        return await this.#powerOff(vm, action.ip);
      case "redial":
        // Whatever came of it, the next look shows whether the runner is attached now.
        await this.#order(vm, action.ip, this.#options.orderRedial);
        return;
    }
  }

  /** Nobody needs the proof of its end: its object may go. */
  async releasePod(namespace: string, name: string, uid: string): Promise<void> {
    const metadata = { uid, "$deleteFromPrimitiveList/finalizers": [runnerFinalizer] };
    await this.#patchPod(namespace, name, metadata);
  }

  async #setFinalizer(vm: FTVirtualMachine, wanted: boolean): Promise<void> {
    const { namespace, name, uid, resourceVersion, finalizers = [] } = vm.metadata;
    const others = finalizers.filter((finalizer) => finalizer !== machineFinalizer);
    if (wanted === others.length < finalizers.length) return;
    const metadata = {
      ...{ uid, resourceVersion },
      finalizers: wanted ? [...others, machineFinalizer] : others,
    };
    const request = {
      ...({ method: "PATCH", contentType: json.merge, body: { metadata } } as const),
      path: objectPath("FTVirtualMachine", namespace, name),
    };
    const written = await this.#unlessGone(
      this.#write<RawMachine>("FTVirtualMachine", "patch", request),
    );
    const entry = written === null ? null : machineEntry(written);
    if (entry !== null && wanted) this.#options.view.machines.assume(entry.key, entry);
  }

  async #createRecord(vm: FTVirtualMachine): Promise<void> {
    const { name, uid } = vm.metadata;
    const record = { vm: uid, epoch: 0, primary: null, backup: null, takeovers: 0 };
    const empty: Lease = {
      ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
      metadata: metadataOf(vm, objectNames(name).record),
    };
    const lease = leaseWith(empty, record, () => null, microTime(new Date()));
    const written = await this.#create<RawObject>(vm, "Lease", lease);
    const entry = written === null ? null : leaseEntry(written);
    if (entry !== null) this.#options.view.leases.assume(entry.key, entry);
  }

  async #createKey(vm: FTVirtualMachine, object: KubernetesObject): Promise<void> {
    const { namespace } = vm.metadata;
    const key = randomBytes(pskBytes).toString("hex");
    const body = { ...object, data: { key: Buffer.from(key).toString("base64") } };
    this.#options.reader.forgetSecret(namespace, object.metadata.name);
    await this.#create<RawObject>(vm, "Secret", body);
  }

  async #createPod(vm: FTVirtualMachine, pod: KubernetesObject): Promise<void> {
    const written = await this.#create<RawPod>(vm, "Pod", pod);
    if (written !== null) {
      const entry = podEntry(written);
      if (entry !== null) this.#options.view.pods.assume(entry.key, entry);
      return;
    }
    // There is one of this name: it is what was wanted, if it belongs to this VM.
    const { namespace } = vm.metadata;
    const { name } = pod.metadata;
    const request = { method: "GET", path: objectPath("Pod", namespace, name) } as const;
    const found = await this.#unlessGone(this.#options.api.send<RawPod>(request));
    if (found === null || ownerOf(found.metadata) === vm.metadata.uid) return;
    throw taken("Pod", namespace, name);
  }

  /** Null: there is one of this name. */
  async #create<Raw>(
    vm: FTVirtualMachine,
    kind: ResourceKind,
    object: object,
  ): Promise<Raw | null> {
    const request = {
      ...({ method: "POST", query: { fieldManager } } as const),
      path: collectionPath(kind, vm.metadata.namespace),
      body: object,
    };
    try {
      return await this.#write<Raw>(kind, "create", request);
    } catch (error) {
      if (apiErrorCode(error) === "already exists") return null;
      throw error;
    }
  }

  async #apply(vm: FTVirtualMachine, kind: ObjectKind, object: KubernetesObject): Promise<void> {
    const { namespace } = vm.metadata;
    const { name } = object.metadata;
    const existing = await this.#ownObject(vm, kind, name);
    // With its uid, so that one that was made anew meanwhile is not overwritten.
    const uid = existing === null ? {} : { uid: existing.uid };
    const body = { ...object, metadata: { ...object.metadata, ...uid } };
    const request = {
      ...({ method: "PATCH", contentType: json.apply, body } as const),
      path: objectPath(kind, namespace, name),
      query: { fieldManager, force: "true" },
    };
    const written = await this.#write<RawService>(kind, "apply", request);
    const entry = kind === "Service" ? serviceEntry(written) : objectEntry(written);
    if (entry !== null && kind !== "Secret")
      this.#options.view.objects[kind].assume(entry.key, entry);
  }

  async #delete(vm: FTVirtualMachine, kind: DeletedKind, name: string): Promise<void> {
    const { namespace } = vm.metadata;
    const existing = await this.#ownObject(vm, kind, name);
    if (existing === null) return;
    await this.#deleteByUid(kind, namespace, name, { preconditions: { uid: existing.uid } });
    this.#options.view.objects[kind].assume(existing.key, undefined);
  }

  /** Null: there is none. @throws KubernetesApiError `refused` if it belongs to somebody else */
  async #ownObject(
    vm: FTVirtualMachine,
    kind: ObjectKind,
    name: string,
  ): Promise<Entry<KeptObject> | null> {
    const { view, reader, memory } = this.#options;
    const { namespace, uid } = vm.metadata;
    const heard = kind === "Secret" ? undefined : view.objects[kind].get(`${namespace}/${name}`);
    const existing = heard ?? (await reader.object(kind, namespace, name));
    if (existing === null || existing.value.owner === uid) return existing;
    memory.noteForeign(uid, observedObject(kind, existing, uid), Date.now());
    throw taken(kind, namespace, name);
  }

  async #deletePod(
    vm: FTVirtualMachine,
    { name, uid, force }: Extract<Action, { kind: "deletePod" }>,
  ): Promise<void> {
    const options = { preconditions: { uid }, ...(force && { gracePeriodSeconds: 0 }) };
    await this.#deleteByUid("Pod", vm.metadata.namespace, name, options);
  }

  async #deleteByUid(kind: ResourceKind, namespace: string, name: string, options: object) {
    const request = {
      ...({ method: "DELETE", path: objectPath(kind, namespace, name) } as const),
      body: { apiVersion: "v1", kind: "DeleteOptions", ...options },
    };
    await this.#unlessGone(this.#write(kind, "delete", request));
  }

  async #labelPod(
    vm: FTVirtualMachine,
    { name, uid, labels: words, annotations }: Extract<Action, { kind: "labelPod" }>,
  ): Promise<void> {
    await this.#patchPod(vm.metadata.namespace, name, { uid, labels: words, annotations });
  }

  /** Only the pod with the uid that `metadata` names. */
  async #patchPod(namespace: string, name: string, metadata: object): Promise<void> {
    const request = {
      ...({ method: "PATCH", contentType: json.strategic, body: { metadata } } as const),
      path: objectPath("Pod", namespace, name),
    };
    const written = await this.#unlessGone(this.#write<RawPod>("Pod", "patch", request));
    const entry = written === null ? null : podEntry(written);
    // A pod that is being deleted may have gone with its last finalizer.
    if (entry !== null && !entry.value.pod.deleting)
      this.#options.view.pods.assume(entry.key, entry);
  }

  async #powerOff(vm: FTVirtualMachine, host: string): Promise<void> {
    const answer = await this.#order(vm, host, this.#options.orderPowerOff);
    if (answer.kind === "no answer") throw new KubernetesApiError("unavailable", 0, answer.message);
    // Who refuses is not the primary any more, or not yet: the next look shows who is.
  }

  async #order(vm: FTVirtualMachine, host: string, give: GiveOrder): Promise<OrderAnswer> {
    const { mayOrder } = this.#options;
    // Orders are rare: the key is read each time, and never one that was replaced.
    const key = await this.#readKey(vm);
    if (!mayOrder()) throw new KubernetesApiError("unavailable", 0, "this process does not lead");
    const options = { host, port: ports.control, vm: vm.metadata.uid, key };
    const answer = await give({ ...options, timeoutMs: orderTimeoutMs });
    this.#options.metrics.onOrder(answer.kind);
    return answer;
  }

  async #readKey(vm: FTVirtualMachine): Promise<Uint8Array> {
    const { namespace, name } = vm.metadata;
    const path = objectPath("Secret", namespace, objectNames(name).key);
    const secret = await this.#options.api.send<RawObject & { data?: { key?: string } }>({
      method: "GET",
      path,
    });
    const text = Buffer.from(secret.data?.key ?? "", "base64")
      .toString("utf8")
      .trim();
    const isOurs = ownerOf(secret.metadata) === vm.metadata.uid;
    if (isOurs && /^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
    const message = `Secret ${namespace}/${objectNames(name).key} has no key of this machine: expected 64 hexadecimal digits in its field key`;
    throw new KubernetesApiError("refused", 0, message);
  }

  async #write<Answer>(kind: ResourceKind, verb: WriteVerb, request: ApiRequest): Promise<Answer> {
    this.#options.metrics.onWrite(kind, verb);
    return await this.#options.api.send<Answer>(request);
  }

  /** Null: what it is about is gone, or is another object of the same name. */
  async #unlessGone<Answer>(answer: Promise<Answer>): Promise<Answer | null> {
    try {
      return await answer;
    } catch (error) {
      if (apiErrorCode(error) === "not found" || isAboutUid(error)) return null;
      throw error;
    }
  }
}

/**
 * The API server's words for an object whose uid is not the one that was named: of a deletion or of an
 * applied object a conflict, of a patch a field that cannot be changed.
 */
function isAboutUid(error: unknown): boolean {
  if (!(error instanceof KubernetesApiError)) return false;
  if (error.status === 409) return /\buid\b/i.test(error.message);
  return error.status === 422 && error.message.includes("metadata.uid: Invalid value");
}

function taken(kind: ResourceKind, namespace: string, name: string): KubernetesApiError {
  const message = `${kind} ${namespace}/${name} exists already and belongs to somebody else`;
  return new KubernetesApiError("refused", 409, message);
}
