/**
 * While the machine is to run, the operator ends no runner of which it could know that the record names it:
 * it saw a record that does, or a pod that was labelled so, or the record has done so for a while. But for
 * the backup of a machine that is to have none.
 */
import { podOfNonce } from "../../../../src/operator/api/names.ts";
import type { VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { Landing } from "../world/requests.ts";
import type { World } from "../world/world.ts";
import type { OperatorChecker } from "./checker.ts";

/** No watch is later than this. */
const couldKnowMs = 30_000;

export class NobodyIsEnded implements OperatorChecker {
  readonly name = "nobody is ended";

  onLanding({ action, observation, vm }: Landing, world: World): string | null {
    if (action.kind !== "deletePod" && action.kind !== "releasePod") return null;
    const runner = world.runnerInPod(action.uid);
    const isToRun = vm.metadata.deletionTimestamp === undefined && vm.spec.powerState === "Running";
    if (!runner?.alive || !isToRun) return null;
    const pod = observation.pods.find(({ uid }) => uid === action.uid);
    const now = world.record === null ? null : roleIn(world.record, action.name);
    const sinceMs = world.nowMs - (world.namedMs.get(runner.nonce) ?? world.nowMs);
    if (now === "primary" && (pod?.role !== null || sinceMs > couldKnowMs)) {
      return `${action.kind} of ${action.name}, which has been named for ${sinceMs} ms and is the primary`;
    }
    const seen = observation.record.kind === "present" ? observation.record.record : null;
    const role = seen === null ? null : roleIn(seen, action.name);
    if (role === null) return null;
    if (role === "backup" && !vm.spec.faultTolerance.enabled && action.kind === "deletePod")
      return null;
    return `${action.kind} of ${action.name}, whose process lives, while the record as seen (epoch ${seen?.epoch}) names it ${role}`;
  }
}

function roleIn({ primary, backup }: VmRecord, pod: string): string | null {
  if (primary !== null && podOfNonce(primary) === pod) return "primary";
  return backup !== null && podOfNonce(backup) === pod ? "backup" : null;
}
