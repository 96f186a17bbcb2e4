/**
 * The pair as the operator sees it: which pod the record names, which process is proven gone, which
 * runner has lost for good. Everything that is decided about runners is decided from these words.
 *
 * The record is the only truth about roles. A pod, its readiness and its node are hints: they say where
 * to look, never who lives.
 */
import type { VmRecord } from "../../shared/protocol/record.ts";
import { podOfNonce } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { Observation, ObservedNode, ObservedPod } from "./observation.ts";

export interface RunnerSight {
  readonly pod: ObservedPod;
  /** What the record calls the runner in this pod now. */
  readonly named: "primary" | "backup" | null;
  /**
   * Its process is proven gone: the kubelet says so, its node has booted anew, or somebody vouches for
   * the node being off (the taint out-of-service, or its Node object deleted, as for any pod).
   */
  readonly gone: boolean;
  /**
   * The record has named it and names it no more: it will never be named again, and whatever its
   * process does is fenced off by the epoch.
   */
  readonly superseded: boolean;
  /** Its node is there and its kubelet reports. */
  readonly nodeReady: boolean;
}

export interface PairSight {
  readonly runners: readonly RunnerSight[];
  /** Of the runner that the record names; null: it names nobody, or the pod is not there. */
  readonly primary: RunnerSight | null;
  readonly backup: RunnerSight | null;
  /** Of this life, never named, and nothing speaks against them. */
  readonly candidates: readonly RunnerSight[];
  readonly gateways: readonly ObservedPod[];
}

/** `life`: the boot that counts. */
export function seePair(o: Observation, record: VmRecord, life: number): PairSight {
  const runners = o.pods
    .filter((pod) => pod.component === "runner")
    .toSorted((a, b) => a.number - b.number)
    .map((pod) => seeRunner(pod, record, o.nodes));
  const named = (role: "primary" | "backup") => runners.find((r) => r.named === role) ?? null;
  return {
    runners,
    primary: named("primary"),
    backup: named("backup"),
    candidates: runners.filter((r) => isCandidate(r, life)),
    gateways: o.pods
      .filter((pod) => pod.component === "gateway")
      .toSorted((a, b) => a.number - b.number),
  };
}

function seeRunner(
  pod: ObservedPod,
  record: VmRecord,
  nodes: ReadonlyMap<string, ObservedNode>,
): RunnerSight {
  const named = roleIn(record, pod);
  return {
    pod,
    named,
    gone: isGone(pod, nodes) || (isSaidToBeGone(pod, nodes) && pod.report === null),
    superseded: pod.role !== null && named === null,
    nodeReady: isNodeReady(pod, nodes),
  };
}

/** The record was at a later epoch already when the status was written: what was heard of it is old. */
export function isOutdated(record: VmRecord, { status }: FTVirtualMachine): boolean {
  return record.epoch < (status?.epoch ?? 0);
}

/**
 * Is anybody gone, or named no more, by this record? What follows from that cannot be undone, and a record
 * that was heard of earlier than the end says nothing: the runner may have been named in between. So it
 * is only believed of a record that was read after the rest.
 */
export function needsNewestRecord(
  { spec, status }: FTVirtualMachine,
  record: VmRecord,
  pods: readonly ObservedPod[],
  nodes: ReadonlyMap<string, ObservedNode>,
): boolean {
  // A backup is about to be ended, a runner knows more, or somebody has changed the Lease by hand.
  if (!spec.faultTolerance.enabled && record.backup !== null) return true;
  if (pods.some(({ report }) => (report?.epoch ?? 0) > record.epoch)) return true;
  if (record.epoch <= (status?.epoch ?? -1) && isNamedOtherwise(record, status)) return true;
  return pods.some((pod) => {
    if (pod.component !== "runner") return false;
    if (isGone(pod, nodes) || isSaidToBeGone(pod, nodes)) return true;
    return pod.role !== null && roleIn(record, pod) === null;
  });
}

/**
 * Is something believed of this runner's node, or noted of it, that must not be older than what is known of
 * the pod? A runner that starts on a node that has just booted anew is not one of the boot before.
 */
export function needsNewestNode(
  { component, terminated, bootId, phase }: Omit<ObservedPod, "report">,
  node: ObservedNode | undefined,
): boolean {
  if (component !== "runner" || terminated !== null) return false;
  if (node === undefined || node.outOfService) return true;
  return bootId === null ? phase === "Running" : bootId !== node.bootId;
}

/** The record names others than the status says. */
export function isNamedOtherwise(
  { primary, backup }: VmRecord,
  status: FTVirtualMachine["status"],
): boolean {
  const podOf = (nonce: string | null) => (nonce === null ? undefined : podOfNonce(nonce));
  return podOf(primary) !== status?.primary?.pod || podOf(backup) !== status?.backup?.pod;
}

function roleIn(record: VmRecord, pod: Pick<ObservedPod, "name">): "primary" | "backup" | null {
  if (record.primary !== null && podOfNonce(record.primary) === pod.name) return "primary";
  if (record.backup !== null && podOfNonce(record.backup) === pod.name) return "backup";
  return null;
}

function isGone(
  pod: Omit<ObservedPod, "report">,
  nodes: ReadonlyMap<string, ObservedNode>,
): boolean {
  if (pod.terminated !== null) return true;
  // Never bound to a node, and on its way out: there never was a process.
  if (pod.node === null) return pod.deleting || pod.phase === "Failed";
  const node = nodes.get(pod.node);
  if (node === undefined) return false;
  if (isTurnedAway(pod)) return node.ready;
  return pod.bootId !== null && node.bootId !== null && node.bootId !== pod.bootId;
}

/**
 * Somebody vouches for its node being off: by the taint out-of-service, which counts as for any pod only
 * while the kubelet is silent too, or by deleting the Node object. A runner that answers belies it.
 */
function isSaidToBeGone(
  pod: Omit<ObservedPod, "report">,
  nodes: ReadonlyMap<string, ObservedNode>,
): boolean {
  if (pod.node === null) return false;
  const node = nodes.get(pod.node);
  return node === undefined || (node.outOfService && !node.ready);
}

/** Its kubelet would not start it, for instance for want of room: there never was a process. */
export function isTurnedAway(pod: Omit<ObservedPod, "report">): boolean {
  return pod.phase === "Failed" && pod.startedMs === null && pod.role === null;
}

/** A pod that waits for a node has none that could be lost. */
export function isNodeReady(pod: ObservedPod, nodes: ReadonlyMap<string, ObservedNode>): boolean {
  return pod.node === null || (nodes.get(pod.node)?.ready ?? false);
}

function isCandidate({ pod, named, gone, superseded, nodeReady }: RunnerSight, life: number) {
  const out = named !== null || superseded || gone || pod.deleting || isOver(pod);
  return !out && nodeReady && pod.life === life;
}

export function isOver(pod: ObservedPod): boolean {
  return pod.phase === "Succeeded" || pod.phase === "Failed";
}

/**
 * Are all runners that the record names proven gone? A named runner whose pod is not there is not:
 * somebody removed the object by force, which says nothing of the process.
 */
export function isPairGone(sight: PairSight, record: VmRecord): boolean {
  if (record.primary === null) return false;
  const gone = (nonce: string | null, seen: RunnerSight | null) =>
    nonce === null || (seen?.gone ?? false);
  return gone(record.primary, sight.primary) && gone(record.backup, sight.backup);
}

/** It answers, or the kubelet calls it ready: the runner does what its role says. */
export function works(seen: RunnerSight | null): boolean {
  if (seen === null || seen.gone) return false;
  const { report, ready } = seen.pod;
  if (report === null) return ready;
  return report.role === "backup" || (report.role === "primary" && report.live);
}

/** The state of the guest is on its way to a new backup. */
export function isTransferring({ primary, candidates }: PairSight): boolean {
  const joins = candidates.some(({ pod }) => pod.report?.role === "joining");
  return joins || (primary?.pod.report?.transfers.running ?? false);
}
