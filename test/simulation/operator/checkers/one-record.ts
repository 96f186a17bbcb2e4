/** For one uid the record is made once: when it is gone, it is never made again. */
import type { Landing } from "../world/requests.ts";
import type { World } from "../world/world.ts";
import type { OperatorChecker } from "./checker.ts";

export class OneRecord implements OperatorChecker {
  readonly name = "one record";
  /** Uids for which a runner was made: from then on the record counts. */
  readonly #counts = new Set<string>();

  onLanding({ action, vm }: Landing, world: World): string | null {
    const { uid } = vm.metadata;
    if (action.kind === "createPod") this.#counts.add(uid);
    if (action.kind !== "createRecord" || world.lease !== null) return null;
    const marked = world.vm?.metadata.uid === uid && world.vm.status?.record !== undefined;
    if (!marked && !this.#counts.has(uid)) return null;
    return `the record of ${uid} is made a second time`;
  }
}
