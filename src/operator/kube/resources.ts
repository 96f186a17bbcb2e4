/** Where the API server keeps which kind of object. */
import { apiGroup, plural } from "../api/v1alpha1.ts";
import type { ObjectKind } from "../reconcile/observation.ts";

/** Every kind that the operator asks for. */
export type ResourceKind = ObjectKind | "FTVirtualMachine" | "Pod" | "Lease" | "Node";

const core = "/api/v1";
const rbac = "/apis/rbac.authorization.k8s.io/v1";

const places: Readonly<Record<ResourceKind, readonly [root: string, plural: string]>> = {
  FTVirtualMachine: [`/apis/${apiGroup}/v1alpha1`, plural],
  Pod: [core, "pods"],
  Node: [core, "nodes"],
  Lease: ["/apis/coordination.k8s.io/v1", "leases"],
  Secret: [core, "secrets"],
  Service: [core, "services"],
  ServiceAccount: [core, "serviceaccounts"],
  Role: [rbac, "roles"],
  RoleBinding: [rbac, "rolebindings"],
  NetworkPolicy: ["/apis/networking.k8s.io/v1", "networkpolicies"],
  PodDisruptionBudget: ["/apis/policy/v1", "poddisruptionbudgets"],
};

/** All objects of a kind; `namespace` null: in every namespace, or of no namespace. */
export function collectionPath(kind: ResourceKind, namespace: string | null): string {
  const [root, name] = places[kind];
  return namespace === null ? `${root}/${name}` : `${root}/namespaces/${namespace}/${name}`;
}

/** Such as pods. */
export function pluralOf(kind: ResourceKind): string {
  return places[kind][1];
}

export function objectPath(kind: ResourceKind, namespace: string | null, name: string): string {
  return `${collectionPath(kind, namespace)}/${name}`;
}

export function eventsPath(namespace: string): string {
  return `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
}
