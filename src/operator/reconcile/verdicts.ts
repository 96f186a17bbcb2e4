/** What is said under each condition, and why: one function for each type. */
import type { Reason } from "../api/reasons.ts";
import type { Phase, RunnerEnd } from "../api/v1alpha1.ts";
import type { Verdict, Verdicts } from "./conditions.ts";
import { badEndsOf, divergedTooOften } from "./ends.ts";
import { isKeyLost } from "./key.ts";
import { differences, runningOf } from "./life.ts";
import type { Observation } from "./observation.ts";
import { isOver, isTransferring, type RunnerSight, works } from "./sight.ts";
import type { Situation } from "./situation.ts";

export function verdictsOf(o: Observation, situation: Situation, phase: Phase): Verdicts {
  const network = networkVerdict(o, situation);
  const faultTolerant = faultToleranceVerdict(o, situation);
  return {
    Ready: readyVerdict(o, situation, phase, network),
    FaultTolerant: faultTolerant,
    Synchronizing: synchronizingVerdict(situation),
    Diverged: divergedVerdict(o, situation),
    NetworkReady: network,
    Progressing: progressingVerdict(situation, phase, faultTolerant),
    RestartRequired: restartVerdict(o, situation),
  };
}

function verdict(status: boolean | null, reason: Reason, message: string): Verdict {
  return { status, reason, message };
}

function readyVerdict(
  o: Observation,
  { sight, life, objects, record }: Situation,
  phase: Phase,
  network: Verdict,
): Verdict {
  if (objects.kind === "taken") return verdict(false, "NameTaken", objects.message);
  switch (phase) {
    case "Terminating":
      return verdict(false, "Deleting", "The machine is being switched off and removed");
    case "Stopping":
      return stoppingVerdict(sight, record);
    case "Stopped":
    case "Lost":
    case "Failed":
      return offVerdict(o, life.kind === "off" ? life.why : "PoweredOff");
    case "Pending":
    case "Starting":
      return verdict(false, "Starting", startingMessage(o));
    case "Unreachable":
      return verdict(false, "PairUnreachable", unreachableMessage(record));
    case "Running":
    case "Synchronizing":
    case "Unprotected":
    case "Diverged":
      break;
  }
  if (!works(sight.primary)) {
    return verdict(
      null,
      "Starting",
      "The backup is taking over from a primary that does not answer",
    );
  }
  if (network.status === false && network.reason !== "NetworkDisabled") {
    return verdict(false, network.reason, network.message);
  }
  const where = sight.primary?.pod.node ?? "an unknown node";
  return verdict(true, "GuestRuns", `The guest runs on ${where}`);
}

function stoppingVerdict({ primary }: Situation["sight"], record: Situation["record"]): Verdict {
  const isThere = primary !== null && (primary.nodeReady || primary.pod.report !== null);
  if (isThere || record.primary === null) {
    return verdict(false, "PoweringOff", "The guest is being switched off");
  }
  return verdict(false, "PairUnreachable", unreachableMessage(record));
}

function offVerdict(o: Observation, why: "PoweredOff" | Reason): Verdict {
  const last = (o.vm.status?.recentEnds ?? []).at(-1);
  const said =
    last === undefined || last.message === "" ? "" : `; the last runner said: ${last.message}`;
  const messages: Partial<Record<Reason, string>> = {
    PoweredOff: "The machine is off, as spec.powerState says",
    GuestPoweredOff:
      "The guest switched itself off; set spec.powerState to Stopped and then to Running to start it",
    PairLost:
      "Both halves are gone, and onPairLost is Hold; set spec.powerState to Stopped and then to Running to boot it anew",
    Trapped: `The guest stopped the virtual machine at the same step in both halves; change the spec to try again${said}`,
    BootFailed: `The guest cannot be booted; correct spec.boot${said}`,
  };
  // SAFETY: `why` is one of the keys of `messages`, all of which are reasons.
  return verdict(false, why as Reason, messages[why as Reason] ?? "The machine is off");
}

function startingMessage(o: Observation): string {
  const stuck = o.pods.find((pod) => pod.component === "runner" && pod.waiting !== null);
  if (stuck?.waiting)
    return `${stuck.name} waits: ${stuck.waiting.reason}: ${stuck.waiting.message}`;
  const refused = o.refusals.at(-1);
  if (refused !== undefined) return `The API server refused a ${refused.what}: ${refused.message}`;
  return "The runners are being started";
}

function unreachableMessage({ primary, backup }: Situation["record"]): string {
  const names = [primary, backup].filter((nonce) => nonce !== null).join(" and ");
  return `The record names ${names}, of which nobody hears and nothing proves that they are gone; if their nodes are off, taint them with node.kubernetes.io/out-of-service`;
}

function faultToleranceVerdict(o: Observation, { sight, record, life, ends }: Situation): Verdict {
  if (life.kind === "off" || life.kind === "stopping") {
    return verdict(false, "NotRunning", "The machine is off");
  }
  if (!o.vm.spec.faultTolerance.enabled) {
    return verdict(
      false,
      "Disabled",
      "spec.faultTolerance.enabled is false: the machine is lost with its node",
    );
  }
  if (isKeyLost(o, life)) {
    const message =
      "The Secret with the pair's key is not the one that the halves have; stop and start the machine";
    return verdict(false, "KeyLost", message);
  }
  const { primary, backup, candidates } = sight;
  if (record.backup !== null && works(backup) && works(primary)) {
    const nodes = `${primary?.pod.node ?? "?"} and ${backup?.pod.node ?? "?"}`;
    return verdict(true, "PairComplete", `The halves run on ${nodes}`);
  }
  if (isTransferring(sight)) {
    return verdict(
      false,
      "StateTransfer",
      "The state of the guest is on its way to the new backup",
    );
  }
  return obstacle(o, ends, candidates, life.running.life);
}

/** Why there is no backup yet, as precisely as it is known. */
function obstacle(
  o: Observation,
  ends: readonly RunnerEnd[],
  candidates: readonly RunnerSight[],
  life: number,
): Verdict {
  const stuck = candidates.find(({ pod }) => pod.waiting !== null)?.pod;
  if (stuck?.waiting) {
    const { reason, message } = stuck.waiting;
    const said = `${stuck.name}: ${reason}: ${message}`;
    if (reason === "Unschedulable") return verdict(false, "NoSecondNode", said);
    if (/Image|Pull/.test(reason)) return verdict(false, "ImageUnavailable", said);
    return verdict(false, "BackupStarting", said);
  }
  const bad = badEndsOf(o.vm, ends, life);
  const last = bad.at(-1);
  if (divergedTooOften(bad)) {
    return verdict(
      false,
      "DivergedRepeatedly",
      "Three backups in ten minutes did not have the primary's state",
    );
  }
  if (last?.reason === "Refused") return verdict(false, "VersionMismatch", saidBy(last));
  if (last !== undefined) return verdict(false, "RunnerCrashes", saidBy(last));
  const refused = o.refusals.filter((refusal) => refusal.what === "Pod").at(-1);
  if (refused !== undefined && candidates.length === 0) {
    return verdict(false, "PodRefused", refused.message);
  }
  return verdict(false, "BackupStarting", "A backup is being started");
}

function saidBy({ pod, reason, message }: RunnerEnd): string {
  return `${pod} ended (${reason})${message === "" ? "" : `: ${message}`}`;
}

function synchronizingVerdict({ sight, record, life }: Situation): Verdict {
  if (life.kind !== "on")
    return verdict(false, "NotRunning", "The machine is off or begins to run");
  if (record.backup === null && isTransferring(sight)) {
    return verdict(true, "StateTransfer", "The state of the guest is on its way to the new backup");
  }
  const reason = record.backup === null ? "BackupStarting" : "PairComplete";
  return verdict(false, reason, "No state is being transferred");
}

function divergedVerdict(o: Observation, { life, ends }: Situation): Verdict {
  const bad = badEndsOf(o.vm, ends, life.running?.life ?? 0);
  if (divergedTooOften(bad)) {
    const message =
      "Three backups in ten minutes did not have the primary's state; none is tried for now. Restart the machine, or look into the log of the runners";
    return verdict(true, "DivergedRepeatedly", message);
  }
  return verdict(false, "NoDivergence", "No backup differed from the primary lately");
}

function networkVerdict(o: Observation, { sight, life }: Situation): Verdict {
  const { enabled, readiness } = o.vm.spec.network;
  if (!enabled) return verdict(false, "NetworkDisabled", "spec.network.enabled is false");
  if (life.kind === "off" || life.kind === "stopping") {
    return verdict(false, "NotRunning", "The machine is off");
  }
  const gateway = sight.gateways.findLast((pod) => !pod.deleting && !isOver(pod));
  if (gateway?.ready) return verdict(true, "GatewayReady", `${gateway.name} serves`);
  if (gateway === undefined || gateway.startedMs === null) {
    const waiting = gateway?.waiting;
    const why = waiting ? `: ${waiting.reason}: ${waiting.message}` : "";
    return verdict(false, "GatewayStarting", `The gateway is being started${why}`);
  }
  const isAttached = sight.primary?.pod.report?.network.attached ?? gateway.attached;
  if (isAttached === false) {
    return verdict(false, "GatewayNotReady", `The primary is not connected to ${gateway.name}`);
  }
  if (isAttached && readiness !== undefined && works(sight.primary)) {
    const message = `No program of the guest accepts connections on port ${readiness.tcpPort} yet`;
    return verdict(false, "GuestNotReady", message);
  }
  return verdict(false, "GatewayNotReady", `${gateway.name} is not ready`);
}

function progressingVerdict(
  { isActing, objects }: Situation,
  phase: Phase,
  faultTolerant: Verdict,
): Verdict {
  const settled: readonly Phase[] = ["Running", "Stopped", "Lost", "Failed"];
  const isSettled = settled.includes(phase) && !isActing && objects.kind !== "making";
  if (isSettled) return verdict(false, "Settled", "The machine is as the spec says");
  return verdict(
    true,
    "Reconciling",
    faultTolerant.status ? "Changes are under way" : faultTolerant.message,
  );
}

function restartVerdict(o: Observation, { life }: Situation): Verdict {
  const { running } = life;
  if (running === null || life.kind === "off") {
    return verdict(false, "UpToDate", "The machine is off: it starts with what the spec says");
  }
  const fields = differences(running, runningOf(o.vm.spec, o.settings));
  const ofSpec = fields.filter((field) => field !== "image");
  if (ofSpec.length > 0) {
    const message = `Changed since the machine was started: ${ofSpec.join(", ")}`;
    return verdict(true, "SpecChanged", message);
  }
  if (fields.length > 0) {
    const message = `The machine runs ${running.image}; the operator has ${o.settings.image}`;
    return verdict(true, "NewVersion", message);
  }
  return verdict(false, "UpToDate", "The machine runs with what the spec says");
}
