/** An FTVirtualMachine of a test: made, changed, asked, and waited for. */

import { until } from "../../bench/waiting.ts";
import type {
  Condition,
  FTVirtualMachine,
  FTVirtualMachineStatus,
  PodPlace,
} from "../../src/operator/api/v1alpha1.ts";
import { type LockstepCluster, patienceMs } from "./lockstep-cluster.ts";

export interface Place {
  readonly pod: string;
  readonly node: string;
}

/** What of a pod the tests look at. */
export interface SeenPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly ip: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly deleting: boolean;
  readonly component: string;
  readonly role: string;
  /** How its container ended; null: it runs, or never did. */
  readonly exitCode: number | null;
}

interface PodObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly state?: { readonly terminated?: { readonly exitCode: number } };
    }[];
  };
}

export class Machine {
  readonly name: string;
  readonly namespace: string;
  readonly #lockstep: LockstepCluster;

  constructor(lockstep: LockstepCluster, name: string, namespace = "default") {
    this.#lockstep = lockstep;
    this.name = name;
    this.namespace = namespace;
  }

  get #at(): string {
    return `/apis/lockstep.dev/v1alpha1/namespaces/${this.namespace}/ftvirtualmachines/${this.name}`;
  }

  async apply(spec: object): Promise<void> {
    await this.#lockstep.kubectl.apply([
      {
        apiVersion: "lockstep.dev/v1alpha1",
        kind: "FTVirtualMachine",
        metadata: { name: this.name, namespace: this.namespace },
        spec,
      },
    ]);
  }

  /** A merge patch of the spec. */
  async change(spec: object): Promise<void> {
    const { status, message } = await this.#lockstep.api.merge(this.#at, { spec });
    if (status !== 200) throw new Error(`${this.name} cannot be changed: ${message}`);
  }

  /** Null: there is none of this name. */
  async read(): Promise<FTVirtualMachine | null> {
    const { status, body, message } = await this.#lockstep.api.get(this.#at);
    if (status === 404) return null;
    if (status !== 200) throw new Error(`${this.name} cannot be read: ${message}`);
    // SAFETY: the API server has checked it against the schema that is made from this type.
    return body as unknown as FTVirtualMachine;
  }

  async status(): Promise<FTVirtualMachineStatus> {
    return (await this.read())?.status ?? {};
  }

  async condition(type: string): Promise<Condition | null> {
    return conditionOf(await this.status(), type);
  }

  /** The status for which `holds`; a failure tells how it was last. */
  async until(
    what: string,
    holds: (status: FTVirtualMachineStatus) => boolean,
    timeoutMs = patienceMs,
  ): Promise<FTVirtualMachineStatus> {
    let last: FTVirtualMachineStatus = {};
    const ask = async () => {
      last = await this.status();
      return holds(last) ? last : null;
    };
    try {
      return await until(what, ask, { everyMs: 100, timeoutMs });
    } catch (error) {
      const pods = await this.pods().catch(() => []);
      const story = { status: last, pods };
      throw new Error(`${this.name}: ${what}: ${String(error)}\n${JSON.stringify(story, null, 1)}`);
    }
  }

  /** Resolves when the condition has this status, and this reason if one is given. */
  async has(type: string, status: string, reason?: string): Promise<FTVirtualMachineStatus> {
    return await this.until(`${type} ${status} ${reason ?? ""}`.trim(), (seen) => {
      const condition = conditionOf(seen, type);
      return condition?.status === status && (reason ?? condition.reason) === condition.reason;
    });
  }

  /** Both halves work, and clients reach the guest. `afterEpoch`: not the pair that there was then. */
  async whole(afterEpoch = -1, timeoutMs = patienceMs): Promise<FTVirtualMachineStatus> {
    const isWhole = (seen: FTVirtualMachineStatus) => {
      const isTrue = (type: string) => conditionOf(seen, type)?.status === "True";
      return isTrue("FaultTolerant") && isTrue("Ready") && (seen.epoch ?? -1) > afterEpoch;
    };
    return await this.until(`whole again after epoch ${afterEpoch}`, isWhole, timeoutMs);
  }

  async pods(): Promise<SeenPod[]> {
    const query = `labelSelector=lockstep.dev/vm=${this.name}`;
    const at = `/api/v1/namespaces/${this.namespace}/pods?${query}`;
    const { items } = (await this.#lockstep.api.get(at)).body;
    // SAFETY: a list of pods, which the API server made.
    return ((items ?? []) as PodObject[]).map(seenPod);
  }

  async pod(name: string): Promise<SeenPod | null> {
    return (await this.pods()).find((pod) => pod.name === name) ?? null;
  }

  async primary(): Promise<Place> {
    return placed("primary", (await this.status()).primary);
  }

  async backup(): Promise<Place> {
    return placed("backup", (await this.status()).backup);
  }

  async gateway(): Promise<Place> {
    return placed("gateway", (await this.status()).gateway);
  }

  /** Epoch and holder of the Lease, which is the only truth about roles. */
  async record(): Promise<{ epoch: number; primary: string | null; backup: string | null }> {
    const at = `/apis/coordination.k8s.io/v1/namespaces/${this.namespace}/leases/${this.name}`;
    const { spec, metadata } = (await this.#lockstep.api.get(at)).body;
    // SAFETY: a Lease, which the API server has checked.
    const { leaseTransitions = 0, holderIdentity = null } = (spec ?? {}) as {
      leaseTransitions?: number;
      holderIdentity?: string | null;
    };
    // SAFETY: annotations are strings by name.
    const annotations = (metadata["annotations"] ?? {}) as Readonly<Record<string, string>>;
    const backup = annotations["lockstep.dev/backup"] ?? null;
    return { epoch: leaseTransitions, primary: holderIdentity || null, backup };
  }

  /** Of the Service's first port. */
  async nodePort(): Promise<number> {
    const { kubectl } = this.#lockstep;
    const where = ["service", this.name, "-n", this.namespace];
    return Number(await kubectl.value(".spec.ports[0].nodePort", ...where));
  }

  /** Ends the process of a runner or gateway as a crash would: SIGKILL, from inside its node. */
  async kill(place: Place): Promise<void> {
    const { cluster } = this.#lockstep;
    const command = `^node /app/dist/cli/main.js runner .* --pod ${place.pod}( |$)`;
    const found = (await cluster.exec(place.node, ["pgrep", "-f", command])).trim().split("\n");
    if (found.length !== 1) throw new Error(`${place.pod} has ${found.length} processes`);
    await cluster.exec(place.node, ["kill", "-9", ...found]);
  }

  async deletePod(name: string, ...how: readonly string[]): Promise<void> {
    const which = ["delete", "pod", name, "-n", this.namespace];
    await this.#lockstep.kubectl.run([...which, "--wait=false", ...how]);
  }

  /** Resolves when nothing of it is left but what Kubernetes still collects. */
  async delete(): Promise<void> {
    const { api } = this.#lockstep;
    await api.delete(this.#at);
    await this.#lockstep.until(`${this.name} to be gone`, async () => (await this.read()) === null);
  }
}

export function conditionOf(status: FTVirtualMachineStatus, type: string): Condition | null {
  return status.conditions?.find((condition) => condition.type === type) ?? null;
}

function placed(what: string, place: PodPlace | undefined): Place {
  if (place?.node === undefined) throw new Error(`there is no ${what} on a node`);
  return { pod: place.pod, node: place.node };
}

function seenPod({ metadata, spec, status }: PodObject): SeenPod {
  const container = status.containerStatuses?.[0];
  return {
    name: metadata.name,
    uid: metadata.uid,
    node: spec.nodeName ?? "",
    ip: status.podIP ?? "",
    phase: status.phase ?? "",
    ready: container?.ready ?? false,
    deleting: metadata.deletionTimestamp !== undefined,
    component: metadata.labels?.["lockstep.dev/component"] ?? "",
    role: metadata.labels?.["lockstep.dev/role"] ?? "",
    exitCode: container?.state?.terminated?.exitCode ?? null,
  };
}
