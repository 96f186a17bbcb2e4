/**
 * The pair's key. The halves of a machine that is on hold it in their memory: another Secret under its
 * name would only keep new halves from joining, so it counts as lost, and none are made.
 */
import { objectNames } from "../api/names.ts";
import type { Life } from "./life.ts";
import { type Observation, objectKey } from "./observation.ts";
import { isOver } from "./sight.ts";

/** Of the Secret that is there; null: there is none. */
export function keyUidOf(o: Observation): string | null {
  const { key } = objectNames(o.vm.metadata.name);
  return o.objects.get(objectKey("Secret", key))?.uid ?? null;
}

/** Runners of this life hold the key, or may. */
export function isKeyBound({ pods }: Observation, life: Life): boolean {
  if (life.kind === "off") return false;
  if (life.kind !== "starting") return true;
  const started = pods.filter((pod) => pod.component === "runner" && pod.startedMs !== null);
  return started.some((pod) => pod.life === life.running.life && !isOver(pod));
}

export function isKeyLost(o: Observation, life: Life): boolean {
  const known = o.vm.status?.key;
  return isKeyBound(o, life) && known !== undefined && known.uid !== keyUidOf(o);
}
