/**
 * A checker watches from outside: plans, requests that land, changes of the record, and the cluster as it
 * really is. It knows nothing of how the plan is made. It tells a violation in a sentence, or null.
 */
import type { Plan } from "../../../../src/operator/reconcile/actions.ts";
import type { Observation } from "../../../../src/operator/reconcile/observation.ts";
import type { RecordRequest, VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { Landing } from "../world/requests.ts";
import type { Runner } from "../world/runner.ts";
import type { World } from "../world/world.ts";

export type OperatorCheckerName =
  | "nobody is ended"
  | "single life"
  | "one record"
  | "few pods"
  | "convergence"
  | "status honesty"
  | "deletion ends"
  | "others' objects"
  | "fail-stop";

export interface RecordChange {
  readonly request: RecordRequest;
  readonly before: VmRecord | null;
  readonly after: VmRecord;
  readonly by: Runner;
}

/** How often `onLook` is called, in simulated milliseconds. */
export const lookMs = 500;

export interface OperatorChecker {
  readonly name: OperatorCheckerName;
  /** Before it takes effect. */
  onLanding?(landing: Landing, world: World): string | null;
  onRecord?(change: RecordChange, world: World): string | null;
  onLook?(world: World): string | null;
}

/** Whom the world tells what happens. */
export interface Watcher {
  onPlan(observation: Observation, plan: Plan): void;
  onLanding(landing: Landing): void;
  onRecord(request: RecordRequest, before: VmRecord | null, after: VmRecord, by: Runner): void;
  say(line: string): void;
}

/** Both halves whom `record` names live. */
export function livingNamed(world: World, record: VmRecord): readonly Runner[] {
  return [record.primary, record.backup].flatMap((nonce) => {
    const runner = nonce === null ? null : world.runnerNamed(nonce);
    return runner?.alive ? [runner] : [];
  });
}

/** The operator can see and do what it should: neither it nor its way to the API server is in trouble. */
export function isOperatorWell({ operators, apiUp, failShare }: World): boolean {
  const leader = operators.find(({ leads }) => leads);
  if (leader === undefined || leader.frozen || !apiUp || failShare > 0) return false;
  return leader.view.isPrompt;
}
