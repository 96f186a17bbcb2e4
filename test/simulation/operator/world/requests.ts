/** The actions of a plan when they reach the API server, as `src/operator/kube/perform.ts` asks for them. */
import {
  machineFinalizer,
  objectNames,
  runnerFinalizer,
} from "../../../../src/operator/api/names.ts";
import type { FTVirtualMachine } from "../../../../src/operator/api/v1alpha1.ts";
import {
  leaseEntry,
  machineEntry,
  objectEntry,
  observedObject,
  podEntry,
  type RawService,
  serviceEntry,
} from "../../../../src/operator/kube/observed.ts";
import type { VmMemory } from "../../../../src/operator/kube/vm-memory.ts";
import type { Action, KubernetesObject } from "../../../../src/operator/reconcile/actions.ts";
import type { ObjectKind, Observation } from "../../../../src/operator/reconcile/observation.ts";
import { managedBy } from "../../../../src/operator/specs/object-metadata.ts";
import { type Lease, leaseWith } from "../../../../src/storage-arbiter/record/kube-lease.ts";
import { controllerOf, namespace, type SimPod } from "./api-server.ts";
import type { View } from "./view.ts";
import type { World } from "./world.ts";

export class SimApiError extends Error {
  override readonly name = "SimApiError";
  readonly code: "refused" | "conflict" | "unavailable";

  constructor(code: SimApiError["code"], message: string = code) {
    super(message);
    this.code = code;
  }
}

/** An action that reaches the API server, and what was seen when it was planned. */
export interface Landing {
  readonly vm: FTVirtualMachine;
  readonly action: Action;
  readonly observation: Observation;
}

/** What happens when the answer comes. */
type Answered = (() => void) | undefined;

export class Requests {
  readonly #world: World;
  readonly #view: View;
  readonly #memory: () => VmMemory;

  constructor(world: World, view: View, memory: () => VmMemory) {
    this.#world = world;
    this.#view = view;
    this.#memory = memory;
  }

  land(landing: Landing): Answered {
    const { vm, action } = landing;
    this.#world.onLanding(landing);
    switch (action.kind) {
      case "addFinalizer":
        return this.#setFinalizer(vm, true);
      case "removeFinalizer":
        return this.#setFinalizer(vm, false);
      case "createRecord":
        return this.#createRecord(vm);
      case "createKey":
        this.#world.api.create("Secret", stored(action.object, this.#world.api.newUid(), vm));
        return undefined;
      case "apply":
        return this.#apply(vm, action.objectKind, action.object);
      case "delete":
        return this.#delete(vm, action.objectKind, action.name);
      case "createPod":
        return this.#createPod(vm, action.pod);
      case "deletePod": {
        const pod = this.#podOf(action);
        if (pod !== null)
          this.#world.api.deletePod(pod, action.force ? 0 : null, this.#world.timestamp());
        return undefined;
      }
      case "releasePod": {
        const pod = this.#podOf(action);
        if (pod !== null) this.#world.api.release(pod, runnerFinalizer);
        return undefined;
      }
      case "labelPod":
        return this.#labelPod(action);
      case "powerOff":
        this.#world.orderPowerOff(action.ip);
        return undefined;
      case "redial":
        // In this world a gateway is found by whoever runs.
        return undefined;
    }
  }

  #podOf({ name, uid }: { readonly name: string; readonly uid: string }): SimPod | null {
    const pod = this.#world.api.get("Pod", name);
    return pod?.metadata.uid === uid ? pod : null;
  }

  #setFinalizer(vm: FTVirtualMachine, wanted: boolean): Answered {
    const { api } = this.#world;
    const row = api.get("FTVirtualMachine", vm.metadata.name);
    if (row === null || row.metadata.uid !== vm.metadata.uid) return undefined;
    const others = (vm.metadata.finalizers ?? []).filter((other) => other !== machineFinalizer);
    if (wanted === others.length < (vm.metadata.finalizers ?? []).length) return undefined;
    if (row.metadata.resourceVersion !== vm.metadata.resourceVersion)
      throw new SimApiError("conflict");
    const finalizers = wanted ? [...others, machineFinalizer] : others;
    const written = api.put("FTVirtualMachine", {
      ...row,
      metadata: { ...row.metadata, finalizers },
    });
    api.finishMachine(written);
    const entry = machineEntry(written);
    return () => {
      if (entry !== null && wanted) this.#view.machines.assume(entry.key, entry);
    };
  }

  #createRecord(vm: FTVirtualMachine): Answered {
    const { name, uid } = vm.metadata;
    const empty: Lease = {
      ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
      metadata: { name: objectNames(name).record, namespace },
    };
    const record = { vm: uid, epoch: 0, primary: null, backup: null, takeovers: 0 };
    const lease = leaseWith(empty, record, () => null, this.#world.timestamp());
    const made = this.#world.api.create("Lease", {
      ...stored(lease, this.#world.api.newUid(), vm),
      spec: lease.spec ?? {},
    });
    const entry = made === null ? null : leaseEntry(made);
    return () => {
      if (entry !== null) this.#view.leases.assume(entry.key, entry);
    };
  }

  #apply(vm: FTVirtualMachine, kind: ObjectKind, object: KubernetesObject): Answered {
    const { api } = this.#world;
    const existing = this.#own(vm, kind, object.metadata.name);
    const clusterIP = existing?.spec?.clusterIP ?? "10.96.0.7";
    const row = stored(object, existing?.metadata.uid ?? api.newUid(), vm);
    const written = api.put(kind, kind === "Service" ? { ...row, spec: { clusterIP } } : row);
    const entry = kind === "Service" ? serviceEntry(written) : objectEntry(written);
    const key = `${kind}/${object.metadata.name}`;
    return () => {
      if (entry !== null && kind !== "Secret") this.#view.objects.assume(key, { ...entry, key });
    };
  }

  #delete(vm: FTVirtualMachine, kind: ObjectKind, name: string): Answered {
    if (this.#own(vm, kind, name) === null) return undefined;
    this.#world.api.erase(kind, name);
    return () => this.#view.objects.assume(`${kind}/${name}`, undefined);
  }

  /** Null: there is none. */
  #own(vm: FTVirtualMachine, kind: ObjectKind, name: string): RawService | null {
    const existing = this.#world.api.get(kind, name);
    if (existing === null || controllerOf(existing) === vm.metadata.uid) return existing;
    const entry = objectEntry(existing);
    if (entry !== null) {
      const object = observedObject(kind, entry, vm.metadata.uid);
      this.#memory().noteForeign(vm.metadata.uid, object, this.#world.wallMs);
    }
    throw new SimApiError("refused", `${kind} ${name} belongs to somebody else`);
  }

  #createPod(vm: FTVirtualMachine, object: KubernetesObject): Answered {
    const { api } = this.#world;
    const existing = api.get("Pod", object.metadata.name);
    if (existing !== null) {
      if (controllerOf(existing) === vm.metadata.uid) return undefined;
      throw new SimApiError("refused", `Pod ${object.metadata.name} belongs to somebody else`);
    }
    if (this.#world.quota) throw new SimApiError("refused", "exceeded quota");
    const row = stored(object, api.newUid(), vm, this.#world.timestamp());
    // SAFETY: the pod as the operator builds it has what a SimPod has of its spec.
    const made = api.create("Pod", row as unknown as SimPod);
    const entry = made === null ? null : podEntry(made);
    return () => {
      if (entry !== null) this.#view.pods.assume(entry.key, entry);
    };
  }

  #labelPod(action: Extract<Action, { kind: "labelPod" }>): Answered {
    const pod = this.#podOf(action);
    if (pod === null) return undefined;
    const metadata = {
      ...pod.metadata,
      labels: { ...pod.metadata.labels, ...action.labels },
      annotations: { ...pod.metadata.annotations, ...action.annotations },
    };
    const entry = podEntry(this.#world.api.put("Pod", { ...pod, metadata }));
    return () => {
      if (entry !== null && !entry.value.pod.deleting) this.#view.pods.assume(entry.key, entry);
    };
  }
}

/** As the API server keeps it, with what the shell adds to every object. */
function stored<Sent extends KubernetesObject | Lease>(
  object: Sent,
  uid: string,
  vm?: FTVirtualMachine,
  creationTimestamp?: string,
) {
  const { metadata }: { metadata: object } = object;
  const owner = { apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine", controller: true };
  const labelled = { labels: { [managedBy.label]: managedBy.value } };
  return {
    ...object,
    metadata: {
      ...(vm === undefined
        ? {}
        : {
            ...labelled,
            ownerReferences: [{ ...owner, name: vm.metadata.name, uid: vm.metadata.uid }],
          }),
      ...metadata,
      ...{ name: object.metadata.name, namespace, uid, resourceVersion: "0" },
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
  };
}
