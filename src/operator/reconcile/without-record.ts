/** The status of a machine that has no record yet, or none any more. */
import type { Reason } from "../api/reasons.ts";
import type { FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import { conditionsOf, type Verdict, type Verdicts } from "./conditions.ts";
import type { Observation } from "./observation.ts";
import { isOver } from "./sight.ts";

/** Its objects and its record are being made, or it is being removed before it had any. */
export function preparingStatus(o: Observation): FTVirtualMachineStatus {
  const isDeleted = o.vm.metadata.deletionTimestamp !== undefined;
  const phase = isDeleted ? ("Terminating" as const) : ("Pending" as const);
  const ready: Verdict = isDeleted
    ? { status: false, reason: "Deleting", message: "The machine is being removed" }
    : { status: false, reason: "Starting", message: "The machine's objects are being made" };
  return { ...o.vm.status, ...common(o, ready, doesNotRun), phase };
}

/** Something that only a person can mend. What is running is left alone, and nobody knows how it is. */
export function brokenStatus(
  o: Observation,
  reason: Reason,
  message: string,
): FTVirtualMachineStatus {
  const isLeft = o.pods.some((pod) => pod.component === "runner" && !isOver(pod));
  const rest = isLeft ? { status: null, reason, message: leftAlone } : doesNotRun;
  const conditions = common(o, { status: false, reason, message }, rest);
  return { ...o.vm.status, ...conditions, phase: "Failed" };
}

const leftAlone =
  "The machine is not looked after until Ready says otherwise; what runs of it goes on";
const doesNotRun: Verdict = {
  status: false,
  reason: "NotRunning",
  message: "The machine does not run",
};

function common(o: Observation, ready: Verdict, rest: Verdict): FTVirtualMachineStatus {
  const verdicts: Verdicts = {
    Ready: ready,
    FaultTolerant: rest,
    Synchronizing: rest,
    Diverged: { status: false, reason: "NoDivergence", message: "No backup differed lately" },
    NetworkReady: rest,
    Progressing:
      ready.reason === "Starting" || ready.reason === "Deleting"
        ? { status: true, reason: "Reconciling", message: ready.message }
        : { status: false, reason: ready.reason, message: ready.message },
    RestartRequired:
      rest === doesNotRun
        ? { status: false, reason: "UpToDate", message: doesNotRun.message }
        : rest,
  };
  const generation = o.vm.metadata.generation;
  const before = o.vm.status?.conditions ?? [];
  return {
    observedGeneration: generation,
    conditions: conditionsOf(verdicts, before, generation, o.nowMs),
  };
}
