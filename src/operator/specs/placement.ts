/**
 * Where a VM's pods may be, and where rather not. Required: the two runners never share a value of the
 * topology key. Preferred: the gateway away from both runners where there is a third place, with the
 * backup where there are two, so that no loss takes the primary and the gateway at once; nothing on nodes
 * that just failed.
 *
 * What the spec says of placement holds for the gateway too: somebody who dedicates nodes to a machine
 * means all of it.
 */
import { type Component, labels } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import { podsOf } from "./object-metadata.ts";

const strong = 100;
const weaker = 50;

/** The parts of a pod's spec that say where it may be. */
export function placementOf(
  vm: FTVirtualMachine,
  component: Component,
  avoidNodes: readonly string[],
): Readonly<Record<string, unknown>> {
  const { nodeSelector, tolerations, priorityClassName } = vm.spec.placement;
  return {
    nodeSelector,
    tolerations: [...tolerations, ...staysOnLostNodes],
    affinity: {
      ...nodeAffinity(vm, avoidNodes),
      ...(component === "runner" ? affinityOfRunner(vm) : affinityOfGateway(vm)),
    },
    topologySpreadConstraints: component === "runner" ? [spreadOverZones(vm)] : [],
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
  };
}

/**
 * Kubernetes would delete the pods of a node that is silent for 300 s. That neither ends a process, since
 * nobody reaches it, nor does it bring a new one: the operator does, by the record, and long before. But
 * a runner that lives on beside a dead kubelet would be killed when the kubelet comes back. So nobody
 * but the operator decides, for the gateway too: without tolerationSeconds, for ever.
 */
const staysOnLostNodes = ["not-ready", "unreachable"].map((condition) => ({
  key: `node.kubernetes.io/${condition}`,
  operator: "Exists",
  effect: "NoExecute",
}));

function affinityOfRunner(vm: FTVirtualMachine): object {
  return {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [near(vm, podsOf(vm, "runner"))],
      // The gateway may have come first.
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: strong, podAffinityTerm: near(vm, podsOf(vm, "gateway")) },
      ],
    },
  };
}

function affinityOfGateway(vm: FTVirtualMachine): object {
  const runners = podsOf(vm, "runner");
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: strong, podAffinityTerm: near(vm, runners) },
      ],
    },
    podAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: weaker, podAffinityTerm: near(vm, { ...runners, [labels.role]: "backup" }) },
      ],
    },
  };
}

/** In the same place as the VM's pods with these labels; pods of other namespaces are no matter. */
function near(vm: FTVirtualMachine, matchLabels: Readonly<Record<string, string>>): object {
  return { labelSelector: { matchLabels }, topologyKey: vm.spec.placement.topologyKey };
}

/** Zones too, where nodes have them, although a halves' place is something smaller. */
function spreadOverZones(vm: FTVirtualMachine): object {
  return {
    maxSkew: 1,
    topologyKey: "topology.kubernetes.io/zone",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: podsOf(vm, "runner") },
  };
}

const preferred = "preferredDuringSchedulingIgnoredDuringExecution";

/** The user's, as it is, and behind it the nodes to avoid. */
function nodeAffinity(vm: FTVirtualMachine, avoidNodes: readonly string[]): object {
  const { nodeAffinity: own } = vm.spec.placement;
  if (avoidNodes.length === 0) return own === undefined ? {} : { nodeAffinity: own };
  // The API server takes one name for each requirement; all of a term's requirements must hold.
  const matchFields = avoidNodes.toSorted().map((node) => ({
    key: "metadata.name",
    operator: "NotIn",
    values: [node],
  }));
  const before = own?.[preferred] ?? [];
  // What is no list is for the API server to refuse, in its words.
  const terms = Array.isArray(before)
    ? [...before, { weight: strong, preference: { matchFields } }]
    : before;
  return { nodeAffinity: { ...own, [preferred]: terms } };
}
