/** The VM's objects other than pods: made, and brought back to what they should be. */
import { annotations } from "../api/names.ts";
import { keySecret } from "../specs/key-secret.ts";
import { desiredObjects } from "../specs/objects.ts";
import type { Draft } from "./draft.ts";
import { type Observation, objectKey } from "./observation.ts";

export type ObjectsOutlook =
  | { readonly kind: "complete" }
  | { readonly kind: "making" }
  /** One sentence: which object belongs to somebody else. */
  | { readonly kind: "taken"; readonly message: string };

/** What belongs to somebody else is never touched. */
export function planObjects(o: Observation, draft: Draft): ObjectsOutlook {
  const desired = desiredObjects(o.vm, o.settings);
  const key = keySecret(o.vm);
  const wanted = [{ objectKind: "Secret" as const, object: key }, ...desired];
  for (const { objectKind, object } of wanted) {
    const found = o.objects.get(objectKey(objectKind, object.metadata.name));
    if (found !== undefined && !found.ours) {
      const message = `${objectKind} ${object.metadata.name} exists already and does not belong to this machine; rename or delete it, or give the machine another name`;
      return { kind: "taken", message };
    }
  }
  const before = draft.actions.length;
  if (!o.objects.has(objectKey("Secret", key.metadata.name))) {
    draft.act({ kind: "createKey", name: key.metadata.name, object: key });
  }
  for (const { objectKind, object } of desired) {
    const found = o.objects.get(objectKey(objectKind, object.metadata.name));
    if (found?.applied !== object.metadata.annotations?.[annotations.applied]) {
      draft.act({ kind: "apply", objectKind, object });
    }
  }
  removeUnwanted(
    o,
    new Set(wanted.map((w) => objectKey(w.objectKind, w.object.metadata.name))),
    draft,
  );
  return { kind: draft.actions.length === before ? "complete" : "making" };
}

/** Such as the Service for clients when the last published port went. */
function removeUnwanted(o: Observation, wanted: ReadonlySet<string>, draft: Draft): void {
  for (const [key, found] of o.objects) {
    if (wanted.has(key) || !found.ours || found.applied === null) continue;
    draft.act({ kind: "delete", objectKind: found.kind, name: found.name });
  }
}
