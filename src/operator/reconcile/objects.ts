/** The VM's objects other than pods: made, and brought back to what they should be. */
import { annotations, objectNames } from "../api/names.ts";
import { keySecret } from "../specs/key-secret.ts";
import { desiredObjects } from "../specs/objects.ts";
import type { KubernetesObject } from "./actions.ts";
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
  for (const { objectKind, object } of desired) {
    const found = o.objects.get(objectKey(objectKind, object.metadata.name));
    if (found === undefined)
      draft.act({ kind: "apply", objectKind, object: atOldAddress(o, object) });
    else if (found.applied !== object.metadata.annotations?.[annotations.applied]) {
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

/** Made where there is none; the caller knows that no runner holds an earlier one. */
export function planKey(o: Observation, draft: Draft): void {
  const key = keySecret(o.vm);
  if (o.objects.has(objectKey("Secret", key.metadata.name))) return;
  draft.act({ kind: "createKey", name: key.metadata.name, object: key });
}

/** Runners are told the Service's address, not its name: no DNS stands on the path of a failover. */
export function gatewayIpOf(o: Observation): string | null {
  if (!o.vm.spec.network.enabled) return null;
  const { gatewayService } = objectNames(o.vm.metadata.name);
  return o.objects.get(objectKey("Service", gatewayService))?.clusterIp ?? null;
}

/** Runners dial the address that they were given for as long as they live. */
function atOldAddress(o: Observation, object: KubernetesObject): KubernetesObject {
  const address = o.vm.status?.gatewayAddress;
  const { gatewayService } = objectNames(o.vm.metadata.name);
  const isIt = object.kind === "Service" && object.metadata.name === gatewayService;
  if (!isIt || address === undefined) return object;
  // SAFETY: every Service that is built has a spec.
  const spec = object["spec"] as object;
  return { ...object, spec: { ...spec, clusterIP: address } };
}

/** Such as the Service for clients when the last published port went. */
function removeUnwanted(o: Observation, wanted: ReadonlySet<string>, draft: Draft): void {
  for (const [key, found] of o.objects) {
    if (wanted.has(key) || !found.ours || found.applied === null) continue;
    if (found.kind === "Secret") continue;
    draft.act({ kind: "delete", objectKind: found.kind, name: found.name });
  }
}
