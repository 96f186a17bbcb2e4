/** What else runs in a cluster: the scheduler, the node lifecycle, the garbage collectors, and evictions. */

import { labels } from "../../../../src/operator/api/names.ts";
import type { RawNode } from "../../../../src/operator/kube/observed.ts";
import { controllerOf, type Kind, kinds, type SimPod } from "./api-server.ts";
import type { World } from "./world.ts";

const lookMs = 500;
/** After so long without a word a node counts as not ready. */
const silentNodeMs = 40_000;
/** How long the garbage collectors let things lie. */
const orphanMs = 3_000;
const lostPodMs = 10_000;
export const outOfServiceTaint = "node.kubernetes.io/out-of-service";

export class Controllers {
  readonly #world: World;
  /** Since when what is to be collected was seen, by uid. */
  readonly #seenMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.#later();
  }

  #later(): void {
    this.#world.agenda.after(lookMs, () => {
      if (this.#world.apiUp) this.#look();
      this.#later();
    });
  }

  #look(): void {
    this.#noticeSilence();
    this.#collectPods();
    this.#collectOrphans();
    for (const pod of this.#world.api.list("Pod")) this.#schedule(pod);
  }

  #noticeSilence(): void {
    const { api, computers, nowMs } = this.#world;
    for (const computer of computers) {
      const node = api.get("Node", computer.name);
      if (node === null || nowMs - computer.lastHeardMs < silentNodeMs || !isNodeReady(node))
        continue;
      api.put("Node", { ...node, status: { ...node.status, conditions: [] } });
      for (const pod of api.list("Pod")) {
        if (pod.spec.nodeName !== computer.name || !isPodReady(pod)) continue;
        const conditions = [{ type: "Ready", status: "False" }];
        api.put("Pod", { ...pod, status: { ...pod.status, conditions } });
      }
    }
  }

  /** Pods whose node is gone, or is off by somebody's word, are removed by force. */
  #collectPods(): void {
    const { api } = this.#world;
    for (const pod of api.list("Pod")) {
      const { nodeName } = pod.spec;
      if (nodeName === undefined || controllerOf(pod) === null) continue;
      const node = api.get("Node", nodeName);
      const off = node !== null && isOutOfService(node) && !isNodeReady(node);
      if (node !== null && !off) continue;
      if (!this.#sinceMs(pod.metadata.uid, lostPodMs)) continue;
      if (pod.metadata.deletionGracePeriodSeconds === 0) continue;
      const phase = pod.status?.phase === "Succeeded" ? "Succeeded" : "Failed";
      const failed = api.put("Pod", { ...pod, status: { ...pod.status, phase } });
      api.deletePod(failed, 0, this.#world.timestamp());
    }
  }

  /** Objects whose owner is gone. */
  #collectOrphans(): void {
    const { api } = this.#world;
    const owners = new Set(api.list("FTVirtualMachine").map(({ metadata }) => metadata.uid));
    for (const kind of kinds) {
      if (kind === "Node" || kind === "FTVirtualMachine") continue;
      for (const row of api.list(kind)) {
        const owner = controllerOf(row);
        const isOrphan = owner !== null && !owners.has(owner);
        if (isOrphan && this.#sinceMs(row.metadata.uid, orphanMs)) {
          this.#collect(kind, row.metadata.name);
        }
      }
    }
  }

  #collect(kind: Kind, name: string): void {
    const { api } = this.#world;
    const pod = kind === "Pod" ? api.get("Pod", name) : null;
    if (pod === null) api.erase(kind, name);
    else if (pod.metadata.deletionTimestamp === undefined) {
      api.deletePod(pod, null, this.#world.timestamp());
    }
  }

  #sinceMs(uid: string, ms: number): boolean {
    const seen = this.#seenMs.get(uid) ?? this.#world.nowMs;
    this.#seenMs.set(uid, seen);
    return this.#world.nowMs - seen >= ms;
  }

  #schedule(pod: SimPod): void {
    const { api } = this.#world;
    if (pod.spec.nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined) return;
    const usable = api
      .list("Node")
      .filter(
        (node) => isNodeReady(node) && node.spec?.unschedulable !== true && !isOutOfService(node),
      )
      .map(({ metadata }) => metadata.name);
    const others = api.list("Pod").filter((other) => other !== pod && !isEnded(other));
    const isRunner = componentOf(pod) === "runner";
    const at = (component: string) =>
      new Set(others.filter((o) => componentOf(o) === component).map((o) => o.spec.nodeName));
    const [runners, gateways] = [at("runner"), at("gateway")];
    const fits = isRunner ? usable.filter((name) => !runners.has(name)) : usable;
    const avoided = JSON.stringify(pod.spec.affinity ?? {});
    const burden = (name: string) =>
      (avoided.includes(`"${name}"`) ? 4 : 0) +
      (isRunner ? (gateways.has(name) ? 2 : 0) : runners.has(name) ? 2 : 0);
    const best = fits.toSorted((a, b) => burden(a) - burden(b))[0];
    if (best !== undefined) {
      api.put("Pod", {
        ...pod,
        spec: { ...pod.spec, nodeName: best },
        status: { phase: "Pending" },
      });
    } else if (pod.status?.conditions === undefined) {
      const conditions = [
        { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "no node fits" },
      ];
      api.put("Pod", { ...pod, status: { phase: "Pending", conditions } });
    }
  }
}

export function componentOf(pod: SimPod): string | undefined {
  return pod.metadata.labels?.[labels.component];
}

export function isEnded({ status }: SimPod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

export function isPodReady({ status }: SimPod): boolean {
  return (
    status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false
  );
}

export function isNodeReady({ status }: RawNode): boolean {
  return (
    status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false
  );
}

function isOutOfService({ spec }: RawNode): boolean {
  return spec?.taints?.some(({ key }) => key === outOfServiceTaint) ?? false;
}
