/**
 * The objects around a VM's pods, as they should be now. Which there are follows from the spec alone;
 * whatever else of the VM's is found does not belong there any more.
 */
import { annotations, type Component, objectNames } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import type { ObjectKind, OperatorSettings } from "../reconcile/observation.ts";
import { role, roleBinding, serviceAccount } from "./access.ts";
import { gatewayPolicy, runnerPolicy } from "./network-policies.ts";
import { hashOf } from "./object-hash.ts";
import { componentLabels, metadataOf, podsOf } from "./object-metadata.ts";
import { clientService, gatewayService } from "./services.ts";

export interface DesiredObject {
  readonly objectKind: ObjectKind;
  readonly object: KubernetesObject;
}

interface Built {
  readonly uid: string;
  readonly settings: OperatorSettings;
  readonly objects: readonly DesiredObject[];
}

/** A plan is made again and again from the same spec, and the hashes are most of its work. */
const built = new WeakMap<FTVirtualMachine["spec"], Built>();

/** Each carries `annotations.applied`, the hash of all else of it. */
export function desiredObjects(
  vm: FTVirtualMachine,
  settings: OperatorSettings,
): readonly DesiredObject[] {
  const { spec, metadata } = vm;
  const known = built.get(spec);
  if (known?.uid === metadata.uid && known.settings === settings) return known.objects;
  const objects = build(vm, settings);
  built.set(spec, { uid: metadata.uid, settings, objects });
  return objects;
}

function build(vm: FTVirtualMachine, settings: OperatorSettings): readonly DesiredObject[] {
  const { enabled } = vm.spec.network;
  const components: readonly Component[] = enabled ? ["runner", "gateway"] : ["runner"];
  const forClients = clientService(vm);
  return [
    ...components.flatMap((component): readonly DesiredObject[] => [
      { objectKind: "ServiceAccount", object: serviceAccount(vm, component) },
      { objectKind: "Role", object: role(vm, component) },
      { objectKind: "RoleBinding", object: roleBinding(vm, component) },
    ]),
    { objectKind: "NetworkPolicy" as const, object: runnerPolicy(vm, settings) },
    { objectKind: "PodDisruptionBudget" as const, object: disruptionBudget(vm) },
    ...(enabled
      ? [
          { objectKind: "NetworkPolicy" as const, object: gatewayPolicy(vm, settings) },
          { objectKind: "Service" as const, object: gatewayService(vm) },
        ]
      : []),
    ...(forClients === null ? [] : [{ objectKind: "Service" as const, object: forClients }]),
  ].map(({ objectKind, object }) => ({ objectKind, object: withHash(object) }));
}

/**
 * A drain takes the runner of one node, whose guest moves to the other half, and waits with the next
 * until a new backup is ready. A machine without a backup is never evicted: what it is worth is for
 * whoever drains to say. It is `minAvailable` as a number because pods without a ReplicaSet allow nothing
 * else. Runners that are not ready go only while one is: the API server's default, IfHealthyBudget.
 */
function disruptionBudget(vm: FTVirtualMachine): KubernetesObject {
  const { disruptionBudget: name } = objectNames(vm.metadata.name);
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(vm, name, componentLabels("runner")),
    spec: {
      minAvailable: 1,
      unhealthyPodEvictionPolicy: "IfHealthyBudget",
      selector: { matchLabels: podsOf(vm, "runner") },
    },
  };
}

function withHash(object: KubernetesObject): KubernetesObject {
  const { metadata } = object;
  const applied = { [annotations.applied]: hashOf(object) };
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...applied } },
  };
}
