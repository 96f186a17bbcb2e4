/**
 * The gateway's pod: one, of the life that counts and of what the spec publishes. It is no part of the
 * fault-tolerant pair: when it is lost, connections through it break and a new one is made.
 *
 * A guest that is booted anew numbers its frames from 0, which a gateway that knew the earlier life would
 * take for frames it has already passed on. So no runner begins a life while a gateway of an earlier one
 * is there.
 */
import type { RunningSpec } from "../api/v1alpha1.ts";
import { gatewayPod, gatewayTemplateHash } from "../specs/gateway-pod.ts";
import type { Draft } from "./draft.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { isNodeReady, isOver, type PairSight } from "./sight.ts";

/** With two nodes the gateway waits this long to learn where the backup is, and sits beside it. */
const placementWaitMs = 15_000;

export interface GatewayWanted {
  /** Null: the machine is off, or has no network. */
  readonly running: RunningSpec | null;
  readonly mayMake: boolean;
  readonly nextNumber: number;
}

/** Gives the number of the next pod after the one that it may plan. */
export function planGateway(
  o: Observation,
  sight: PairSight,
  { running, mayMake, nextNumber }: GatewayWanted,
  draft: Draft,
): number {
  const keep = running === null ? null : gatewayToKeep(o, sight, running);
  for (const pod of sight.gateways) {
    if (pod === keep) continue;
    const nodeReady = isNodeReady(pod, o.nodes);
    // Its frames are fenced by the epoch, and the Service forgets it with its object.
    if (!pod.deleting || !nodeReady) {
      draft.act({ kind: "deletePod", name: pod.name, uid: pod.uid, force: !nodeReady });
    }
  }
  const isGoing = sight.gateways.some((pod) => pod !== keep && isNodeReady(pod, o.nodes));
  if (running === null || keep !== null || isGoing || !mayMake) return nextNumber;
  if (waitsForBackup(o, sight, draft)) return nextNumber;
  const { vm, settings } = o;
  const avoidNodes = [...o.nodes.values()].filter((node) => !node.ready).map((node) => node.name);
  const pod = gatewayPod({ vm, settings, running, number: nextNumber, avoidNodes });
  draft.act({ kind: "createPod", pod });
  if (sight.gateways.length > 0) {
    draft.warn("GatewayReplaced", `Gateway ${pod.metadata.name} replaces one that is gone`);
  } else {
    draft.note("Created", `Gateway ${pod.metadata.name} is made`);
  }
  return nextNumber + 1;
}

/** Is there a gateway of another life that runners could still reach? */
export function hasOldGateway(o: Observation, sight: PairSight, life: number): boolean {
  return sight.gateways.some((pod) => pod.life !== life && isNodeReady(pod, o.nodes));
}

function gatewayToKeep(o: Observation, sight: PairSight, running: RunningSpec): ObservedPod | null {
  const hash = gatewayTemplateHash(o.vm, running);
  const fits = (pod: ObservedPod) =>
    pod.life === running.life &&
    pod.applied === hash &&
    !pod.deleting &&
    !isOver(pod) &&
    isNodeReady(pod, o.nodes);
  return sight.gateways.findLast(fits) ?? null;
}

/**
 * Where there is no third place, the gateway must share a node with a runner: with the backup, so that the
 * loss of one node never takes the primary and the gateway at once.
 */
function waitsForBackup(o: Observation, sight: PairSight, draft: Draft): boolean {
  const { faultTolerance, placement } = o.vm.spec;
  if (!faultTolerance.enabled || sight.backup?.pod.role === "backup") return false;
  const usable = [...o.nodes.values()].filter((node) => node.ready && node.schedulable);
  const places = new Set(usable.map((node) => node.labels[placement.topologyKey]));
  if (places.size !== 2) return false;
  const youngest = Math.max(0, ...sight.runners.map(({ pod }) => pod.createdMs));
  const leftMs = youngest + placementWaitMs - o.nowMs;
  if (sight.runners.length > 0 && leftMs <= 0) return false;
  draft.again(Math.max(leftMs, 1_000));
  return true;
}
