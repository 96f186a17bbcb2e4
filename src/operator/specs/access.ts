/**
 * What a VM's pods may do at the API server: runners read and change the one Lease that is their record,
 * the gateway reads it. Nothing is listed or watched, since that cannot be limited to one object.
 */
import { type Component, objectNames } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import { componentLabels, metadataOf } from "./object-metadata.ts";

const verbs: Readonly<Record<Component, readonly string[]>> = {
  runner: ["get", "update"],
  gateway: ["get"],
};

/** Its pods mount a token of their own making; nobody else gets one by naming the account. */
export function serviceAccount(vm: FTVirtualMachine, component: Component): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadata(vm, component),
    automountServiceAccountToken: false,
  };
}

export function role(vm: FTVirtualMachine, component: Component): KubernetesObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: metadata(vm, component),
    rules: [
      {
        apiGroups: ["coordination.k8s.io"],
        resources: ["leases"],
        resourceNames: [objectNames(vm.metadata.name).record],
        verbs: verbs[component],
      },
    ],
  };
}

export function roleBinding(vm: FTVirtualMachine, component: Component): KubernetesObject {
  const name = nameOf(vm, component);
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: metadata(vm, component),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: vm.metadata.namespace }],
  };
}

function metadata(vm: FTVirtualMachine, component: Component) {
  return metadataOf(vm, nameOf(vm, component), componentLabels(component));
}

function nameOf(vm: FTVirtualMachine, component: Component): string {
  return objectNames(vm.metadata.name)[component];
}
