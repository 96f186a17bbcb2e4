/** The Secret with the key of a VM's pair and gateway. */
import { objectNames } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import { metadataOf } from "./object-metadata.ts";

/**
 * Without its data: a core has no randomness, so the shell adds the key. Immutable, because runners
 * read it once: with another key a new half could never join the living one.
 */
export function keySecret(vm: FTVirtualMachine): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: metadataOf(vm, objectNames(vm.metadata.name).key),
    type: "Opaque",
    immutable: true,
  };
}
