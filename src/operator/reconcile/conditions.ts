/** Conditions in the form of the Kubernetes API conventions, from what was decided and seen. */
import type { Reason } from "../api/reasons.ts";
import type { Condition } from "../api/v1alpha1.ts";
import { timestampOf } from "./timestamp.ts";

const conditionTypes = [
  "Ready",
  "FaultTolerant",
  "Synchronizing",
  "Diverged",
  "NetworkReady",
  "Progressing",
  "RestartRequired",
] as const;

type ConditionType = (typeof conditionTypes)[number];

/** What is said now under one type. */
export interface Verdict {
  readonly status: boolean | null;
  readonly reason: Reason;
  readonly message: string;
}

export type Verdicts = Readonly<Record<ConditionType, Verdict>>;

/** The conditions as they should read; a status that stays keeps the time of its last change. */
export function conditionsOf(
  verdicts: Verdicts,
  before: readonly Condition[],
  generation: number,
  nowMs: number,
): readonly Condition[] {
  const known = new Map(before.map((condition) => [condition.type, condition]));
  return conditionTypes.map((type) => {
    const { status, reason, message } = verdicts[type];
    const word = status === null ? "Unknown" : status ? "True" : "False";
    const earlier = known.get(type);
    const lastTransitionTime =
      earlier?.status === word ? earlier.lastTransitionTime : timestampOf(nowMs);
    return {
      type,
      status: word,
      observedGeneration: generation,
      lastTransitionTime,
      reason,
      message,
    };
  });
}
