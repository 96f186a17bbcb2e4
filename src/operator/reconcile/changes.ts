/** Events: what a user should hear of, found by comparing the status that was with the one that is. */
import type { FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import type { Draft } from "./draft.ts";

export function noteChanges(
  before: FTVirtualMachineStatus,
  now: FTVirtualMachineStatus,
  draft: Draft,
): void {
  noteRoles(before, now, draft);
  noteEndings(before, now, draft);
  noteConditions(before, now, draft);
}

function noteRoles(
  before: FTVirtualMachineStatus,
  now: FTVirtualMachineStatus,
  draft: Draft,
): void {
  const tookOver = (now.failovers ?? 0) > (before.failovers ?? 0);
  const moved = before.primary !== undefined && now.primary?.pod !== before.primary.pod;
  const to = now.primary === undefined ? "nobody" : where(now.primary);
  if (tookOver) {
    draft.warn("TookOver", `The backup took over; the primary is now ${to}`);
  } else if (moved && now.primary?.pod === before.backup?.pod) {
    draft.note("HandedOver", `The primary handed over to ${to}`);
  }
  if (now.backup !== undefined && now.backup.pod !== before.backup?.pod && !moved) {
    draft.note("BackupJoined", `${where(now.backup)} is the backup: the machine is fault tolerant`);
  }
  if (before.backup !== undefined && now.backup === undefined && !tookOver && now.primary) {
    draft.warn(
      "BackupLost",
      `${before.backup.pod} is the backup no more; the primary goes on alone`,
    );
  }
  if ((now.restarts ?? 0) > (before.restarts ?? 0)) {
    draft.warn("Restarted", `The machine is booted anew (boot ${(now.restarts ?? 0) + 1})`);
  }
}

function where({ pod, node }: { readonly pod: string; readonly node?: string }): string {
  return node === undefined ? pod : `${pod} on ${node}`;
}

function noteEndings(
  before: FTVirtualMachineStatus,
  now: FTVirtualMachineStatus,
  draft: Draft,
): void {
  const known = new Set((before.recentEnds ?? []).map((end) => end.pod));
  for (const end of now.recentEnds ?? []) {
    if (known.has(end.pod) || end.reason === "Left") continue;
    const said = end.message === "" ? "" : `: ${end.message}`;
    if (end.reason === "Diverged")
      draft.warn("Divergence", `${end.pod} diverged and stopped${said}`);
    else draft.warn("RunnerReplaced", `${end.pod} ended (${end.reason})${said}`);
  }
}

/** A condition's change is an event where it is bad news, or the end of bad news. */
function noteConditions(
  before: FTVirtualMachineStatus,
  now: FTVirtualMachineStatus,
  draft: Draft,
): void {
  for (const condition of now.conditions ?? []) {
    const earlier = before.conditions?.find((other) => other.type === condition.type);
    if (earlier?.status === condition.status && earlier.reason === condition.reason) continue;
    // SAFETY: conditionsOf takes its reasons from that table alone.
    const reason = condition.reason as Parameters<Draft["warn"]>[0];
    if (loud.has(condition.reason)) draft.warn(reason, condition.message);
    else if (condition.type === "Ready" && condition.status === "True") {
      draft.note(reason, condition.message);
    }
  }
}

const loud: ReadonlySet<string> = new Set([
  "NameTaken",
  "RecordLost",
  "PairLost",
  "PairUnreachable",
  "GuestPoweredOff",
  "Trapped",
  "BootFailed",
  "NoSecondNode",
  "ImageUnavailable",
  "VersionMismatch",
  "RunnerCrashes",
  "PodRefused",
  "DivergedRepeatedly",
  "SpecChanged",
  "NewVersion",
]);
