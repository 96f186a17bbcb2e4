/** There are never many runners of a machine at once, and pods are not made in a loop. */
import { labels } from "../../../../src/operator/api/names.ts";
import { componentOf, isEnded, isNodeReady } from "../world/controllers.ts";
import type { Landing } from "../world/requests.ts";
import type { World } from "../world/world.ts";
import type { OperatorChecker } from "./checker.ts";

const podsMax = 4;
const minuteMs = 60_000;
/** Tries in a minute that nothing else calls for: two pods at once, spaced as ends in a row are. */
const triesMax = 14;
/** What one disturbance may call for. */
const triesEach = 2;

export class FewPods implements OperatorChecker {
  readonly name = "few pods";
  readonly #triesMs: number[] = [];

  onLanding({ action }: Landing, world: World): string | null {
    if (action.kind !== "createPod") return null;
    const words = action.pod.metadata as { readonly labels?: Readonly<Record<string, string>> };
    if (words.labels?.[labels.component] !== "runner") return null;
    const { nowMs } = world;
    this.#triesMs.push(nowMs);
    const recent = (times: readonly number[], ms: number) =>
      times.filter((at) => nowMs - at < ms).length;
    const tries = recent(this.#triesMs, minuteMs);
    const faults = world.faultsMs.filter((at) => nowMs - at < 2 * minuteMs).length;
    const allowed = triesMax + triesEach * faults;
    return tries <= allowed
      ? null
      : `${tries} runner pods were made in a minute, expected at most ${allowed}`;
  }

  onLook({ api, vm }: World): string | null {
    if (vm === null) return null;
    const standing = api.list("Pod").filter((pod) => {
      const { nodeName } = pod.spec;
      const node = nodeName === undefined ? null : api.get("Node", nodeName);
      const there = nodeName === undefined || (node !== null && isNodeReady(node));
      const leaves = pod.metadata.deletionTimestamp !== undefined || isEnded(pod);
      return componentOf(pod) === "runner" && there && !leaves;
    });
    return standing.length <= podsMax
      ? null
      : `${standing.length} runner pods stand at once: ${standing.map(({ metadata }) => metadata.name).join(", ")}`;
  }
}
