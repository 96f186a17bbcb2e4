/**
 * What the operator does about one machine: a pure function from what it sees to actions, status and
 * events. It never decides who is primary: the record does. It makes what is missing, clears away what is
 * proven gone, and tells the user why.
 *
 * Every pass looks at the whole, and every action may be repeated: nothing is remembered but what is in
 * the status, and what must not be forgotten (that the record was made, what a life was started with, why
 * runners ended) is written there before anything is done that leans on it.
 */
import type { VmRecord } from "../../shared/protocol/record.ts";
import { machineFinalizer, objectNames } from "../api/names.ts";
import type { FTVirtualMachine, FTVirtualMachineStatus, RunningSpec } from "../api/v1alpha1.ts";
import { stableJson } from "../specs/object-hash.ts";
import type { Plan } from "./actions.ts";
import { noteChanges } from "./changes.ts";
import { planDeletion } from "./deletion.ts";
import { Draft } from "./draft.ts";
import { noteEnds } from "./ends.ts";
import { hasOldGateway, planGateway } from "./gateways.ts";
import { isKeyBound, isKeyLost } from "./key.ts";
import { decideLife, type Life } from "./life.ts";
import { gatewayIpOf, planKey, planObjects } from "./objects.ts";
import { type Observation, objectKey } from "./observation.ts";
import { planDismissal, planPowerOff } from "./power-off.ts";
import { planRunners } from "./runners.ts";
import { isNamedOtherwise, type PairSight, seePair } from "./sight.ts";
import type { Situation } from "./situation.ts";
import { statusOf } from "./status.ts";
import { brokenStatus, preparingStatus } from "./without-record.ts";

/** What a person mends is not always watched: a Secret, or an object without the machine's label. */
const mendedAgainMs = 30_000;
/** That halves which the record names take too long to answer is told by nothing but the clock. */
const startingAgainMs = 5_000;

export function plan(o: Observation): Plan {
  const draft = new Draft();
  const status = decide(o, draft);
  noteChanges(o.vm.status ?? {}, status, draft);
  const { actions, events, againInMs } = draft;
  return { actions, status, events, againInMs };
}

function decide(o: Observation, draft: Draft): FTVirtualMachineStatus {
  const { metadata, status } = o.vm;
  if (metadata.deletionTimestamp !== undefined) return planDeletion(o, draft);
  if (!metadata.finalizers?.includes(machineFinalizer)) draft.act({ kind: "addFinalizer" });
  const objects = planObjects(o, draft);
  if (objects.kind === "taken") return broken(o, draft, "NameTaken", objects.message);
  const { record } = o;
  if (status?.record === undefined) planKey(o, draft);
  if (record.kind === "unusable") {
    // Before there was a record of this machine, its name is what somebody else has.
    const reason = status?.record === undefined ? "NameTaken" : "RecordLost";
    return broken(o, draft, reason, record.message);
  }
  if (record.kind === "absent") {
    if (status?.record !== undefined) return broken(o, draft, "RecordLost", recordLostMessage(o));
    draft.act({ kind: "createRecord" });
    return preparingStatus(o);
  }
  if (record.record.vm !== metadata.uid) {
    const message = `Lease ${objectNames(metadata.name).record} is the record of another machine (${record.record.vm})`;
    return broken(o, draft, "NameTaken", message);
  }
  // The mark that there is a record is written before the first runner is made.
  if (status?.record === undefined) {
    return { ...preparingStatus(o), record: { uid: record.uid } };
  }
  if (status.record.uid !== record.uid) {
    return broken(o, draft, "RecordLost", recordLostMessage(o));
  }
  const tampered = tamperedWith(o.vm, record.record);
  if (tampered !== null) return broken(o, draft, "RecordLost", tampered);
  return decideRunning(o, record.record, objects, draft);
}

function broken(
  o: Observation,
  draft: Draft,
  reason: "NameTaken" | "RecordLost",
  message: string,
): FTVirtualMachineStatus {
  draft.again(mendedAgainMs);
  return brokenStatus(o, reason, message);
}

/**
 * The record only ever goes on, one epoch after the other, and whom an epoch names never changes. One that
 * says less than was seen of it before was changed by hand, and nothing follows from it.
 */
function tamperedWith({ metadata, status }: FTVirtualMachine, record: VmRecord): string | null {
  const { record: lease } = objectNames(metadata.name);
  const mend = "correct it, or make another FTVirtualMachine";
  if (status?.epoch === undefined || record.epoch > status.epoch) return null;
  if (record.epoch < status.epoch) {
    return `Lease ${lease} went back from epoch ${status.epoch} to ${record.epoch}; ${mend}`;
  }
  if (!isNamedOtherwise(record, status)) return null;
  return `Lease ${lease} names others than before at epoch ${record.epoch}; ${mend}`;
}

function recordLostMessage(o: Observation): string {
  const { record } = objectNames(o.vm.metadata.name);
  return `Lease ${record}, the record of who is primary, was deleted or made anew by somebody else; nothing can be started safely without it. Make another FTVirtualMachine`;
}

function decideRunning(
  o: Observation,
  record: VmRecord,
  objects: Situation["objects"],
  draft: Draft,
): FTVirtualMachineStatus {
  const known = o.vm.status?.running?.life ?? 0;
  const first = seePair(o, record, known);
  const noted = o.vm.status?.recentEnds ?? [];
  const ends = noteEnds(noted, first.runners, record.epoch, o);
  const life = decideLife(o, record, first, ends);
  const sight = seePair(o, record, life.running?.life ?? known);
  const before = draft.actions.length;
  if (life.kind === "stopping") {
    if (isKeyLost(o, life)) planDismissal(sight, draft);
    else planPowerOff(sight, draft);
  }
  if (!isKeyBound(o, life)) planKey(o, draft);
  planPods(o, record, sight, life, draft);
  const isActing = draft.actions.length > before;
  const status = statusOf(o, { record, sight, life, objects, ends, isActing });
  if (status.phase === "Starting") draft.again(startingAgainMs);
  if (status.phase === "Pending") draft.again(mendedAgainMs);
  return status;
}

function planPods(
  o: Observation,
  record: VmRecord,
  sight: PairSight,
  life: Life,
  draft: Draft,
): void {
  const running = runningToServe(life);
  const isHeldUp = life.kind === "stopping" || isKeyLost(o, life);
  const mayMake = running !== null && !isHeldUp && mayMakePods(o, running);
  const numbers = [o.vm.status?.lastPod ?? 0, ...o.pods.map((pod) => pod.number)];
  const network = o.vm.spec.network.enabled ? running : null;
  const next = Math.max(...numbers) + 1;
  const afterGateway = planGateway(
    o,
    sight,
    { running: network, mayMake, nextNumber: next },
    draft,
  );
  const begins = life.kind === "starting";
  planRunners(
    o,
    sight,
    {
      count: runnersWanted(o, life),
      running,
      mayMake: mayMake && !(begins && hasOldGateway(o, sight, life.running.life)),
      epoch: record.epoch,
      isOff: record.primary === null,
      beginsAt: begins ? life.running.fromEpoch : null,
      nextNumber: afterGateway,
      gatewayIp: gatewayIpOf(o),
    },
    draft,
  );
}

function runnersWanted(o: Observation, life: Life): 0 | 1 | 2 {
  if (life.kind !== "starting" && life.kind !== "on") return 0;
  return o.vm.spec.faultTolerance.enabled ? 2 : 1;
}

/** A machine that is being switched off keeps its gateway to the end. */
function runningToServe(life: Life): RunningSpec | null {
  return life.kind === "off" || life.kind === "withdrawing" ? null : life.running;
}

/** What a pod is made from must be in the status first, and the objects it needs must be there. */
function mayMakePods(o: Observation, running: RunningSpec): boolean {
  const noted = o.vm.status?.running;
  if (noted === undefined || stableJson(noted) !== stableJson(running)) return false;
  const { key, runner } = objectNames(o.vm.metadata.name);
  const needed = [objectKey("Secret", key), objectKey("ServiceAccount", runner)];
  if (!needed.every((name) => o.objects.has(name))) return false;
  return !o.vm.spec.network.enabled || gatewayIpOf(o) !== null;
}
