/**
 * The status: what the user is told. It follows from the same sight as the actions, so that it never says
 * anything else than what is done. Whatever changes often (the lag) is told in steps, so that a machine at
 * rest costs no writes.
 */
import { podOfNonce } from "../api/names.ts";
import type {
  FTVirtualMachineStatus,
  LastFailover,
  Phase,
  PodPlace,
  RunnerEnd,
} from "../api/v1alpha1.ts";
import { conditionsOf } from "./conditions.ts";
import { badEndsOf, divergedTooOften } from "./ends.ts";
import { isKeyBound, keyUidOf } from "./key.ts";
import { gatewayIpOf } from "./objects.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { isTransferring, type PairSight, works } from "./sight.ts";
import type { Situation } from "./situation.ts";
import { millisecondsOf, timestampOf } from "./timestamp.ts";
import { verdictsOf } from "./verdicts.ts";

export function statusOf(o: Observation, situation: Situation): FTVirtualMachineStatus {
  const { record, sight, life, ends } = situation;
  const before = o.vm.status ?? {};
  const running = life.running ?? undefined;
  const generation = o.vm.metadata.generation;
  const phase = phaseOf(o, situation);
  const verdicts = verdictsOf(o, situation, phase);
  const restarts = running === undefined ? before.restarts : running.life - 1;
  const lastFailover = lastFailoverOf(o, situation);
  const lag = lagOf(situation, before.lagMilliseconds);
  const divergences = (before.divergences ?? 0) + freshDivergences(before.recentEnds ?? [], ends);
  const lastPod = Math.max(before.lastPod ?? 0, ...o.pods.map((pod) => pod.number));
  return {
    observedGeneration: generation,
    phase,
    epoch: record.epoch,
    ...place("primary", record.primary, o.pods),
    ...place("backup", record.backup, o.pods),
    ...gatewayPlace(sight),
    ...(lag === null ? {} : { lagMilliseconds: lag }),
    failovers: record.takeovers,
    ...(lastFailover === null ? {} : { lastFailover }),
    ...(restarts === undefined ? {} : { restarts }),
    divergences,
    ...addressOf(o),
    ...(before.record === undefined ? {} : { record: before.record }),
    ...keyOf(o, situation),
    ...gatewayAddressOf(o),
    ...(running === undefined ? {} : { running }),
    lastPod,
    recentEnds: ends,
    conditions: conditionsOf(verdicts, before.conditions ?? [], generation, o.nowMs),
  };
}

function phaseOf(o: Observation, { life, sight, record, ends }: Situation): Phase {
  if (o.vm.metadata.deletionTimestamp !== undefined) return "Terminating";
  switch (life.kind) {
    case "off":
      if (life.why === "PairLost") return "Lost";
      return life.why === "Trapped" || life.why === "BootFailed" ? "Failed" : "Stopped";
    case "stopping":
      return "Stopping";
    case "withdrawing":
      return "Pending";
    case "starting":
      return sight.candidates.some(({ pod }) => pod.startedMs !== null) ? "Starting" : "Pending";
    case "on":
      return phaseOfPair(o, { sight, record, ends });
  }
}

/** A primary that does not work yet is given this long before it counts as unreachable. */
const goLiveMs = 30_000;

function phaseOfPair(
  o: Observation,
  { sight, record, ends }: Pick<Situation, "sight" | "record" | "ends">,
): Phase {
  const { primary, backup } = sight;
  if (!works(primary) && backup?.pod.report?.role === "taking over") return "Unprotected";
  if (!works(primary) && !works(backup)) {
    const youngest = Math.max(0, ...[primary, backup].map((seen) => seen?.pod.startedMs ?? 0));
    return o.nowMs - youngest < goLiveMs ? "Starting" : "Unreachable";
  }
  if (!o.vm.spec.faultTolerance.enabled) return "Running";
  if (record.backup !== null) return works(primary) && works(backup) ? "Running" : "Unprotected";
  if (isTransferring(sight)) return "Synchronizing";
  return isDiverged(ends, o) ? "Diverged" : "Unprotected";
}

function isDiverged(ends: readonly RunnerEnd[], o: Observation): boolean {
  const life = o.vm.status?.running?.life ?? 0;
  return divergedTooOften(badEndsOf(o.vm, ends, life));
}

function place(
  role: "primary" | "backup",
  nonce: string | null,
  pods: readonly ObservedPod[],
): { readonly primary?: PodPlace; readonly backup?: PodPlace } {
  if (nonce === null) return {};
  const name = podOfNonce(nonce);
  const node = pods.find((pod) => pod.name === name)?.node ?? null;
  return { [role]: node === null ? { pod: name } : { pod: name, node } };
}

function gatewayPlace({ gateways }: PairSight): { readonly gateway?: PodPlace } {
  const pod = gateways.findLast((gateway) => !gateway.deleting);
  if (pod === undefined) return {};
  return { gateway: pod.node === null ? { pod: pod.name } : { pod: pod.name, node: pod.node } };
}

/** Steps in which the lag is told, in milliseconds. */
export const lagStepsMs = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/** Rounded up; it goes down only when it is well below the step that was told. */
function lagOf({ record, sight }: Situation, before: number | undefined): number | null {
  const report = sight.primary?.pod.report ?? null;
  if (record.backup === null) return null;
  if (report === null || report.role !== "primary") return before ?? null;
  const lagMs = report.recentLagMs.p99;
  const step = lagStepsMs.find((ms) => lagMs <= ms) ?? lagStepsMs.at(-1) ?? 0;
  const stays = before !== undefined && step < before && lagMs > before / 4;
  return stays ? before : step;
}

/** How a guest comes to live in a runner without a failover. */
const planned: ReadonlySet<string> = new Set(["started", "restarted", "handed over"]);

/** When, why and how long, in the words of the runner that took over. */
function lastFailoverOf(o: Observation, { record, sight }: Situation): LastFailover | null {
  const before = o.vm.status?.lastFailover ?? null;
  const goLive = sight.primary?.pod.report?.lastGoLive ?? null;
  if (goLive === null || record.takeovers === 0 || planned.has(goLive.reason)) return before;
  const atMs = o.nowMs - goLive.agoMs;
  const gapMilliseconds = Math.round(goLive.afterMs);
  // The same one, told a moment later: the time may differ by what a request takes.
  const isSame =
    before !== null &&
    before.gapMilliseconds === gapMilliseconds &&
    Math.abs(millisecondsOf(before.time) - atMs) < 10_000;
  return isSame ? before : { time: timestampOf(atMs), reason: goLive.reason, gapMilliseconds };
}

function freshDivergences(before: readonly RunnerEnd[], ends: readonly RunnerEnd[]): number {
  const known = new Set(before.map((end) => end.pod));
  return ends.filter((end) => end.reason === "Diverged" && !known.has(end.pod)).length;
}

/** A life keeps the key that it began with; a new one may begin with another. */
function keyOf(o: Observation, { life }: Situation): Pick<FTVirtualMachineStatus, "key"> {
  const known = o.vm.status?.key;
  const uid = keyUidOf(o);
  if (isKeyBound(o, life) && known !== undefined) return { key: known };
  return uid === null ? {} : { key: { uid } };
}

function gatewayAddressOf(o: Observation): Pick<FTVirtualMachineStatus, "gatewayAddress"> {
  const address = o.vm.status?.gatewayAddress ?? gatewayIpOf(o);
  return address === null ? {} : { gatewayAddress: address };
}

/** Of the Service for clients. */
function addressOf(o: Observation): { readonly address?: string } {
  const { enabled, ports } = o.vm.spec.network;
  if (!enabled || ports.length === 0) return {};
  const { name, namespace } = o.vm.metadata;
  return { address: `${name}.${namespace}.svc` };
}
