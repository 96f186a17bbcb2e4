/**
 * The runners' pods: two for a machine that is on, and a new one for each that is lost. It never says who
 * is primary, and never ends a runner that the record names, but for a backup that the spec no longer
 * wants.
 *
 * The proof that a process is gone is worth more than a tidy list of pods: a pod that the record may still
 * name keeps its object (by the finalizer) until its process is proven gone or has lost for good.
 */
import { annotations, labels } from "../api/names.ts";
import type { RunningSpec } from "../api/v1alpha1.ts";
import { runnerPod } from "../specs/runner-pod.ts";
import type { Draft } from "./draft.ts";
import { badEnds, badEndsOf, divergedTooOften, pauseMs } from "./ends.ts";
import type { Observation } from "./observation.ts";
import { isOver, type PairSight, type RunnerSight, works } from "./sight.ts";

/** A runner of a running pair that was not named after so long is replaced; a transfer takes longer. */
const candidateTimeoutMs = 120_000;
/** One that its node has not started after so long: the image or a volume cannot be had there. */
const startTimeoutMs = 180_000;

export interface RunnersWanted {
  readonly count: 0 | 1 | 2;
  readonly running: RunningSpec | null;
  /** False: nothing is made in this pass. */
  readonly mayMake: boolean;
  /** Of the record. */
  readonly epoch: number;
  /** The record names nobody. */
  readonly isOff: boolean;
  /** The epoch at which a first or a new life may begin; null: the machine lives. */
  readonly beginsAt: number | null;
  /** Number of the next pod. */
  readonly nextNumber: number;
  readonly gatewayIp: string | null;
}

/** Gives the number of the next pod after those that it plans. */
export function planRunners(
  o: Observation,
  sight: PairSight,
  wanted: RunnersWanted,
  draft: Draft,
): number {
  for (const seen of sight.runners) {
    label(o, seen, draft);
    clearAway(o, seen, wanted, draft);
  }
  if (wanted.count === 0 || wanted.running === null) {
    for (const seen of sight.candidates) remove(seen, draft);
    return wanted.nextNumber;
  }
  const candidates = dropStale(o, sight, wanted, draft);
  const missing = wanted.count - standing(sight) - candidates.length;
  if (missing < 0) removeSurplus(sight, candidates, -missing, wanted.epoch, draft);
  return missing > 0 && wanted.mayMake
    ? create(o, sight, wanted, missing, draft)
    : wanted.nextNumber;
}

/** Named runners that stay: one that is being deleted will hand over or is given up. */
function standing(sight: PairSight): number {
  return [sight.primary, sight.backup].filter((r) => r !== null && !r.gone && !r.pod.deleting)
    .length;
}

function label(o: Observation, { pod, named, gone }: RunnerSight, draft: Draft): void {
  const node = pod.node === null ? undefined : o.nodes.get(pod.node);
  const bootId =
    pod.bootId === null && pod.phase === "Running" && !gone && node?.ready ? node.bootId : null;
  const role = named !== null && named !== pod.role ? named : null;
  if (bootId === null && role === null) return;
  draft.act({
    kind: "labelPod",
    name: pod.name,
    uid: pod.uid,
    labels: role === null ? {} : { [labels.role]: role },
    annotations: bootId === null ? {} : { [annotations.bootId]: bootId },
  });
}

/** What has ended or has lost goes; its end must be in the status first. */
function clearAway(o: Observation, seen: RunnerSight, wanted: RunnersWanted, draft: Draft): void {
  const { pod, named, gone, superseded } = seen;
  if (named !== null) return;
  const isNoted = (o.vm.status?.recentEnds ?? []).some((end) => end.pod === pod.name);
  // Why a guest is off, its last runner says as it ends: its object stays until then.
  const isAwaited = wanted.isOff && seen.nodeReady;
  const isDone = gone ? isNoted : superseded && !isAwaited;
  const isOld = wanted.running !== null && pod.life !== wanted.running.life;
  if (!isDone) {
    if ((isOld || isOver(pod)) && !pod.deleting) remove(seen, draft);
    return;
  }
  // Of a superseded runner on a node that is not ready nobody will ever hear: the record proves that
  // it has lost, so its object need not wait for a kubelet.
  if (!pod.deleting || (!seen.nodeReady && pod.held)) remove(seen, draft);
  if (pod.held) draft.act({ kind: "releasePod", name: pod.name, uid: pod.uid });
}

function remove({ pod, gone, superseded, nodeReady }: RunnerSight, draft: Draft) {
  if (pod.deleting && nodeReady) return;
  const force = gone || (superseded && !nodeReady);
  draft.act({ kind: "deletePod", name: pod.name, uid: pod.uid, force });
}

/** Candidates that came to nothing beside a primary that works. */
function dropStale(
  o: Observation,
  { candidates, primary }: PairSight,
  wanted: RunnersWanted,
  draft: Draft,
): readonly RunnerSight[] {
  if (wanted.beginsAt !== null || !works(primary)) return candidates;
  const leftMs = ({ pod }: RunnerSight) => {
    if (pod.startedMs !== null) return pod.startedMs + candidateTimeoutMs - o.nowMs;
    return pod.node === null ? null : pod.createdMs + startTimeoutMs - o.nowMs;
  };
  const isStale = (seen: RunnerSight) =>
    (leftMs(seen) ?? 1) <= 0 && seen.pod.report?.role !== "joining";
  for (const seen of candidates) {
    if (isStale(seen)) remove(seen, draft);
    else draft.again(Math.max(1_000, leftMs(seen) ?? startTimeoutMs));
  }
  return candidates.filter((seen) => !isStale(seen));
}

/**
 * Candidates first: those that have not started, then the newest; the state may be on its way to one. A
 * named backup goes only beside a primary that says itself, in this epoch, that the guest lives in it: a
 * primary that died a moment ago looks alive to everybody else.
 */
function removeSurplus(
  sight: PairSight,
  candidates: readonly RunnerSight[],
  surplus: number,
  epoch: number,
  draft: Draft,
): void {
  const progress = ({ pod }: RunnerSight) =>
    pod.report?.role === "joining" ? 2 : pod.startedMs === null ? 0 : 1;
  const dearest = candidates.toReversed().toSorted((a, b) => progress(a) - progress(b));
  const goes = dearest.slice(0, surplus);
  for (const seen of goes) remove(seen, draft);
  const { primary, backup } = sight;
  if (goes.length >= surplus || backup === null || backup.pod.deleting) return;
  const said = primary?.pod.report ?? null;
  const lives = said?.role === "primary" && said.live && said.epoch === epoch;
  if (lives && primary !== null && !primary.gone && !primary.pod.deleting) remove(backup, draft);
  else draft.again(1_000);
}

function create(
  o: Observation,
  sight: PairSight,
  wanted: RunnersWanted,
  missing: number,
  draft: Draft,
): number {
  const { running, beginsAt, gatewayIp } = wanted;
  if (running === null) return wanted.nextNumber;
  const ends = o.vm.status?.recentEnds ?? [];
  if (divergedTooOften(badEndsOf(o.vm, ends, running.life))) return wanted.nextNumber;
  // A machine that is lost again and again, each time soon after it was booted, waits too.
  const bad = badEnds(o.vm, ends);
  const waitMs = Math.max(pauseMs(bad, o.nowMs), refusalPauseMs(o));
  if (waitMs > 0) {
    draft.again(waitMs);
    return wanted.nextNumber;
  }
  const avoidNodes = lostNodes(sight);
  for (let i = 0; i < missing; i++) {
    const number = wanted.nextNumber + i;
    const restartEpoch = beginsAt === 0 ? null : beginsAt;
    const { vm, settings } = o;
    const pod = runnerPod({ vm, settings, running, number, gatewayIp, avoidNodes, restartEpoch });
    draft.act({ kind: "createPod", pod });
    draft.note("Created", `Runner ${pod.metadata.name} is made`);
  }
  return wanted.nextNumber + missing;
}

/** After the API server refused a pod, the next try waits. */
const refusedPauseMs = 10_000;

function refusalPauseMs(o: Observation): number {
  const last = o.refusals.filter((refusal) => refusal.what === "Pod").at(-1);
  return last === undefined ? 0 : Math.max(0, last.atMs + refusedPauseMs - o.nowMs);
}

/**
 * Nodes where a runner was lost and that nobody else has noticed yet: Kubernetes takes most of a minute
 * to call a silent node not ready, the record half a second. And those that could not start one.
 */
function lostNodes(sight: PairSight): readonly string[] {
  const neverRan = ({ pod }: RunnerSight) =>
    pod.startedMs === null && (pod.deleting || isOver(pod));
  const lost = sight.runners.filter(
    (r) => (r.superseded && r.pod.terminated === null) || neverRan(r),
  );
  return [...new Set(lost.flatMap(({ pod }) => (pod.node === null ? [] : [pod.node])))].sort();
}
