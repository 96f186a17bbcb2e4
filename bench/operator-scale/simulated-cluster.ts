/**
 * What this benchmark watches of the cluster: machines, their runners' pods and records. By the operator's own
 * watches, which are made to last.
 */
import { Registry } from "prom-client";
import type { FTVirtualMachine } from "../../src/operator/api/v1alpha1.ts";
import type { KubernetesApi, RawObject } from "../../src/operator/kube/kubernetes-api.ts";
import { type Entry, ObjectCache } from "../../src/operator/kube/object-cache.ts";
import {
  type KeptPod,
  leaseEntry,
  machineEntry,
  podEntry,
} from "../../src/operator/kube/observed.ts";
import { ResourceWatch } from "../../src/operator/kube/resource-watch.ts";
import { collectionPath, pluralOf } from "../../src/operator/kube/resources.ts";
import { WatchMetrics } from "../../src/operator/metrics/watch-metrics.ts";
import { managedBy } from "../../src/operator/specs/object-metadata.ts";
import { createLogger } from "../../src/platform/logging.ts";
import type { Lease } from "../../src/storage-arbiter/record/kube-lease.ts";

type Kind = "FTVirtualMachine" | "Pod" | "Lease";

export class SimulatedCluster {
  readonly machines: ObjectCache<FTVirtualMachine>;
  readonly pods: ObjectCache<KeptPod>;
  readonly leases: ObjectCache<Lease>;
  readonly #api: KubernetesApi;
  readonly #metrics = new WatchMetrics(new Registry());
  readonly #log = createLogger("bench");

  /** `onPair`: pods or the record of this machine changed. */
  constructor(api: KubernetesApi, onPair: (vm: string) => void) {
    this.#api = api;
    const tell = (before: Entry<unknown> | undefined, after: Entry<unknown> | undefined) => {
      const vm = after?.vm ?? before?.vm;
      if (vm != null) onPair(vm);
    };
    this.machines = new ObjectCache<FTVirtualMachine>(() => {});
    this.pods = new ObjectCache<KeptPod>(tell);
    this.leases = new ObjectCache<Lease>(tell);
  }

  /** Until `signal`. */
  async watch(signal: AbortSignal): Promise<void> {
    const watches = [
      this.#watch("FTVirtualMachine", this.machines, machineEntry),
      this.#watch("Pod", this.pods, podEntry),
      this.#watch("Lease", this.leases, wholeLeaseEntry),
    ];
    await Promise.all(watches.map((watch) => watch.run(signal)));
  }

  /** Machines of which both halves work. */
  get faultTolerantCount(): number {
    return [...this.machines.all()].filter(({ value }) => isFaultTolerant(value)).length;
  }

  isFaultTolerant(vm: string): boolean {
    const machine = this.machines.get(vm)?.value;
    return machine !== undefined && isFaultTolerant(machine);
  }

  #watch<Raw extends RawObject, Value>(
    kind: Kind,
    cache: ObjectCache<Value>,
    entryOf: (raw: Raw) => Entry<Value> | null,
  ): ResourceWatch<Raw, Value> {
    const selector = `${managedBy.label}=${managedBy.value}`;
    return new ResourceWatch({
      ...{ api: this.#api, log: this.#log, metrics: this.#metrics, cache, entryOf },
      ...{ name: pluralOf(kind), resource: pluralOf(kind), random: () => 0.5 },
      ...{ path: collectionPath(kind, null), namespace: null, metadataOnly: false },
      labelSelector: kind === "FTVirtualMachine" ? null : selector,
    });
  }
}

/** With all that is in it: whoever writes a Lease keeps what others wrote. */
export function wholeLeaseEntry(raw: RawObject & Lease): Entry<Lease> | null {
  const entry = leaseEntry(raw);
  return entry && { ...entry, value: raw };
}

function isFaultTolerant({ status }: FTVirtualMachine): boolean {
  const condition = status?.conditions?.find(({ type }) => type === "FaultTolerant");
  return condition?.status === "True";
}
