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
import { isNodeReady, isOver, type PairSight, works } from "./sight.ts";

/**
 * A gateway that neither the primary nor the operator reaches is gone: the primary had asked it for two
 * seconds when it gave up. Kubernetes takes most of a minute to notice that a node is. One that answers the operator is only cut off from the primary, which may pass.
 * The pause is since the last gateway was made: another one may not help either.
 */
const silentGateway = { detachedMs: 500, pauseMs: 15_000 };
const cutOffGateway = { detachedMs: 10_000, pauseMs: 60_000 };
/** A gateway that runs has served after so long, if it ever does. */
const startMs = 5_000;
/** A runner finds a new gateway by itself in less, if its connection to the old one is broken. */
const attachMs = 2_000;
const redialPauseMs = 3_000;
const lookAgainMs = 500;

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
  const fitting = running === null ? null : gatewayToKeep(o, sight, running);
  const missed = fitting !== null && mayMake && isMissed(o, sight, fitting, draft) ? fitting : null;
  const keep = missed === null ? fitting : null;
  const others = sight.gateways.filter((pod) => pod !== keep);
  for (const pod of others) remove(o, pod, pod === missed, draft);
  if (keep !== null) redial(o, sight, keep, draft);
  const isGoing = others.some((pod) => pod !== missed && isNodeReady(pod, o.nodes));
  if (running === null || keep !== null || isGoing || !mayMake) return nextNumber;
  if (waitsForBackup(o, sight, running.life, draft)) return nextNumber;
  const { vm, settings } = o;
  const avoidNodes = nodesToAvoid(o, sight, missed);
  const pod = gatewayPod({ vm, settings, running, number: nextNumber, avoidNodes });
  draft.act({ kind: "createPod", pod });
  if (sight.gateways.length > 0) {
    draft.warn("GatewayReplaced", `Gateway ${pod.metadata.name} replaces one that is gone`);
  } else {
    draft.note("Created", `Gateway ${pod.metadata.name} is made`);
  }
  return nextNumber + 1;
}

/** Its frames are fenced by the epoch, and the Service forgets it with its object. */
function remove(o: Observation, pod: ObservedPod, isMissing: boolean, draft: Draft): void {
  const nodeReady = isNodeReady(pod, o.nodes);
  if (pod.deleting && nodeReady) return;
  const force = !nodeReady || (isMissing && pod.attached === null);
  draft.act({ kind: "deletePod", name: pod.name, uid: pod.uid, force });
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
 * Does the primary, in which the guest lives, miss this gateway for so long that another one is better? It
 * is the first to notice: it asks its gateway twice a second whether it is there.
 */
function isMissed(
  o: Observation,
  { primary, gateways }: PairSight,
  pod: ObservedPod,
  draft: Draft,
): boolean {
  const { detachedMs } = primary?.pod ?? {};
  if (!works(primary) || detachedMs === undefined || pod.startedMs === null) return false;
  if (pod.attached === undefined) {
    draft.again(lookAgainMs);
    return false;
  }
  const bounds = pod.attached === null ? silentGateway : cutOffGateway;
  const madeMs = Math.max(...gateways.map(({ createdMs }) => createdMs));
  const leftMs = Math.max(
    bounds.detachedMs - detachedMs,
    madeMs + bounds.pauseMs - o.nowMs,
    pod.startedMs + startMs - o.nowMs,
  );
  if (leftMs > 0) draft.again(Math.max(leftMs, lookAgainMs));
  return leftMs <= 0;
}

/**
 * The primary holds on to a gateway that is none any more: its kubelet is silent and its object gone, but
 * its process lives and answers. Frames are numbered, so a new connection loses nothing.
 */
function redial(o: Observation, { primary }: PairSight, keep: ObservedPod, draft: Draft): void {
  const report = primary?.pod.report ?? null;
  if (keep.attached !== false || keep.startedMs === null) return;
  if (primary === null || report === null || !works(primary) || !report.network.attached) return;
  const { name, ip } = primary.pod;
  const leftMs = keep.startedMs + attachMs - o.nowMs;
  if (leftMs <= 0 && ip !== null) draft.act({ kind: "redial", pod: name, ip });
  draft.again(leftMs > 0 ? leftMs : redialPauseMs);
}

/** Where something was lost, though Kubernetes may not have noticed yet. */
function nodesToAvoid(
  { nodes }: Observation,
  { runners }: PairSight,
  missed: ObservedPod | null,
): readonly string[] {
  const notReady = [...nodes.values()].filter((node) => !node.ready).map((node) => node.name);
  const lost = runners.filter((r) => r.superseded && r.pod.terminated === null);
  const silent = [missed, ...lost.map(({ pod }) => pod)].map((pod) => pod?.node ?? null);
  return [...new Set([...notReady, ...silent.filter((name) => name !== null)])].sort();
}

/**
 * Where there is no third place, the gateway must share a node with a runner: with the backup, so that the
 * loss of one node never takes the primary and the gateway at once. Only the first gateway of a life waits:
 * clients wait for a later one.
 */
function waitsForBackup(o: Observation, sight: PairSight, life: number, draft: Draft): boolean {
  const { faultTolerance, placement } = o.vm.spec;
  if (!faultTolerance.enabled || sight.backup?.pod.role === "backup") return false;
  const usable = [...o.nodes.values()].filter((node) => node.ready && node.schedulable);
  const places = new Set(usable.map((node) => node.labels[placement.topologyKey]));
  if (places.size !== 2) return false;
  const runners = sight.runners.filter(({ pod }) => pod.life === life);
  const firstMs = Math.min(o.nowMs, ...runners.map(({ pod }) => pod.createdMs));
  const leftMs = firstMs + placementWaitMs - o.nowMs;
  if (sight.gateways.some((pod) => pod.life === life) || leftMs <= 0) return false;
  draft.again(Math.max(leftMs, 1_000));
  return true;
}
