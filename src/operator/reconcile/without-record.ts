/** The status of a machine that has no record yet, or none any more. */
import type { Reason } from "../api/reasons.ts";
import type { FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import { conditionsOf, type Verdict, type Verdicts } from "./conditions.ts";
import type { Observation } from "./observation.ts";

/** Its objects and its record are being made, or it is being removed before it had any. */
export function preparingStatus(o: Observation): FTVirtualMachineStatus {
  const isDeleted = o.vm.metadata.deletionTimestamp !== undefined;
  const phase = isDeleted ? ("Terminating" as const) : ("Pending" as const);
  const ready: Verdict = isDeleted
    ? { status: false, reason: "Deleting", message: "The machine is being removed" }
    : { status: false, reason: "Starting", message: "The machine's objects are being made" };
  return { ...o.vm.status, ...common(o, ready), phase };
}

/** Something that only a person can mend. What is running is left alone. */
export function brokenStatus(
  o: Observation,
  reason: Reason,
  message: string,
): FTVirtualMachineStatus {
  return { ...o.vm.status, ...common(o, { status: false, reason, message }), phase: "Failed" };
}

function common(o: Observation, ready: Verdict): FTVirtualMachineStatus {
  const down: Verdict = {
    status: false,
    reason: "NotRunning",
    message: "The machine does not run",
  };
  const verdicts: Verdicts = {
    Ready: ready,
    FaultTolerant: down,
    Synchronizing: down,
    Diverged: { status: false, reason: "NoDivergence", message: "No backup differed lately" },
    NetworkReady: down,
    Progressing:
      ready.reason === "Starting" || ready.reason === "Deleting"
        ? { status: true, reason: "Reconciling", message: ready.message }
        : { status: false, reason: ready.reason, message: ready.message },
    RestartRequired: { status: false, reason: "UpToDate", message: "The machine does not run" },
  };
  const generation = o.vm.metadata.generation;
  const before = o.vm.status?.conditions ?? [];
  return {
    observedGeneration: generation,
    conditions: conditionsOf(verdicts, before, generation, o.nowMs),
  };
}
