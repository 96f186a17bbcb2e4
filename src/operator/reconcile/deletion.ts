/**
 * A machine that was deleted is switched off through its log if that works soon, and then its pods go;
 * Kubernetes collects the rest by the owner references. Nothing waits for a node that is cut off: when the
 * record is gone, whatever still runs there has no role any more and stops when it reads that.
 */
import { machineFinalizer } from "../api/names.ts";
import type { FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import type { Draft } from "./draft.ts";
import { noteEnds } from "./ends.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { planPowerOff } from "./power-off.ts";
import { isNodeReady, isPairGone, type PairSight, seePair } from "./sight.ts";
import { statusOf } from "./status.ts";
import { millisecondsOf } from "./timestamp.ts";
import { preparingStatus } from "./without-record.ts";

/** So long an orderly end may take. */
const powerOffMs = 20_000;

export function planDeletion(o: Observation, draft: Draft): FTVirtualMachineStatus {
  const { record, vm } = o;
  const isOurs = record.kind === "present" && record.record.vm === vm.metadata.uid;
  if (!isOurs) {
    removePods(o, draft);
    return preparingStatus(o);
  }
  const running = vm.status?.running ?? null;
  const sight = seePair(o, record.record, running?.life ?? 0);
  const isOff = record.record.primary === null || isPairGone(sight, record.record);
  if (isOff || !waitsForPowerOff(o, sight, draft)) removePods(o, draft);
  return statusOf(o, {
    record: record.record,
    sight,
    life: { kind: "stopping", running },
    objects: { kind: "complete" },
    ends: noteEnds(vm.status?.recentEnds ?? [], sight.runners, record.record.epoch, o),
    isActing: true,
  });
}

function waitsForPowerOff(o: Observation, sight: PairSight, draft: Draft): boolean {
  const deletedMs = millisecondsOf(o.vm.metadata.deletionTimestamp);
  const leftMs = deletedMs + powerOffMs - o.nowMs;
  const reachable = sight.primary?.nodeReady ?? false;
  if (leftMs <= 0 || !reachable) return false;
  draft.again(leftMs);
  return planPowerOff(sight, draft);
}

function removePods(o: Observation, draft: Draft): void {
  for (const pod of o.pods) {
    const nodeReady = isNodeReady(pod, o.nodes);
    if (!pod.deleting || !nodeReady) {
      draft.act({ kind: "deletePod", name: pod.name, uid: pod.uid, force: !nodeReady });
    }
    if (pod.held) draft.act({ kind: "releasePod", name: pod.name, uid: pod.uid });
  }
  const isHeld = o.vm.metadata.finalizers?.includes(machineFinalizer) ?? false;
  if (isHeld && !o.pods.some((pod) => isInTheWay(pod, o))) draft.act({ kind: "removeFinalizer" });
}

/** Its processes end first, so that a machine of the same name never meets them. */
function isInTheWay(pod: ObservedPod, o: Observation): boolean {
  return isNodeReady(pod, o.nodes);
}
