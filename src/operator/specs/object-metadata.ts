/** What the objects of a VM have in common: their labels, and that they go when the VM goes. */
import { assert } from "../../shared/assert.ts";
import { type Component, labels } from "../api/names.ts";
import { apiVersion, type FTVirtualMachine, kind } from "../api/v1alpha1.ts";

/** By this label the operator knows what it made; nothing else is watched but VMs and nodes. */
export const managedBy = {
  label: "app.kubernetes.io/managed-by",
  value: "lockstep-operator",
} as const;

type Texts = Readonly<Record<string, string>>;

export interface SpecMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Texts;
  readonly ownerReferences: readonly object[];
}

/**
 * The longest name of a VM: with the component and a number behind it, it is the name of a pod, which is
 * also a hostname and has at most 63 characters.
 */
const vmNameLengthMax = 40;
/** Names of Services and pods are made of it, so it obeys the strictest of their rules. */
const vmName = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/** `more`: further labels. */
export function metadataOf(vm: FTVirtualMachine, name: string, more: Texts = {}): SpecMetadata {
  const { name: vmNamed, namespace, uid } = vm.metadata;
  assert(
    vmNamed.length <= vmNameLengthMax && vmName.test(vmNamed),
    `the API's rule lets through only names of which others can be made, not "${vmNamed}"`,
  );
  return {
    name,
    namespace,
    labels: {
      "app.kubernetes.io/name": "lockstep",
      "app.kubernetes.io/instance": vmNamed,
      [managedBy.label]: managedBy.value,
      [labels.vm]: vmNamed,
      ...more,
    },
    ownerReferences: [
      { apiVersion, kind, name: vmNamed, uid, controller: true, blockOwnerDeletion: true },
    ],
  };
}

/** Of an object that belongs to one component, such as its pods. */
export function componentLabels(component: Component): Texts {
  return { "app.kubernetes.io/component": component, [labels.component]: component };
}

/** By which the VM's pods of one component are found; selectors cannot be changed, so it is short. */
export function podsOf(vm: FTVirtualMachine, component: Component): Texts {
  return { [labels.vm]: vm.metadata.name, [labels.component]: component };
}
