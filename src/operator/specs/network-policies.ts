/**
 * Who may talk to a VM's pods. A policy that names a direction denies everything in it that no rule
 * lets through:
 *
 *     runner 7100 TCP, UDP    from the VM's runners
 *     gateway 7200            from the VM's runners
 *     published ports         from anywhere: they are published
 *     7101 (only reads)       from the operator, pods of the VM's namespace labelled
 *                             lockstep.dev/scrape=true, and namespaces labelled
 *                             lockstep.dev/monitoring=true
 *     7102 (orders)           from the operator
 *     out of runners          to the VM's runners and gateway, and to the API server
 *
 * Probes come from the node itself, which policies do not keep out. What the guest sends leaves from the
 * gateway and may go anywhere: to limit it is for the namespace's own policies.
 */
import { assert } from "../../shared/assert.ts";
import { objectNames, ports } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import type { OperatorSettings } from "../reconcile/observation.ts";
import { componentLabels, metadataOf, podsOf } from "./object-metadata.ts";
import { publishedPort } from "./services.ts";

/**
 * Labels by which scrapers are let in. That of a pod counts beside the VM only: in a namespace of their own
 * people give their pods what labels they like, and would read of everybody's VMs. Namespaces are labelled
 * by whoever runs the cluster.
 */
const scrapeLabels = {
  pod: { "lockstep.dev/scrape": "true" },
  namespace: { "lockstep.dev/monitoring": "true" },
} as const;

export function runnerPolicy(vm: FTVirtualMachine, settings: OperatorSettings): KubernetesObject {
  assert(settings.apiServerPorts.length > 0, "a rule without ports would let runners go anywhere");
  const runners = { podSelector: { matchLabels: podsOf(vm, "runner") } };
  const gateway = { podSelector: { matchLabels: podsOf(vm, "gateway") } };
  const channel = [tcp(ports.channel), { protocol: "UDP", port: ports.channel }];
  return policy(vm, "runner", {
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      { from: [runners], ports: channel },
      { from: readers(settings), ports: [tcp(ports.http)] },
      { from: [operator(settings)], ports: [tcp(ports.control)] },
    ],
    egress: [
      { to: [runners], ports: channel },
      ...(vm.spec.network.enabled ? [{ to: [gateway], ports: [tcp(ports.gateway)] }] : []),
      // The API server is no pod, and its addresses are known to nobody beforehand. Policies see the
      // port behind its Service, which differs between clusters.
      { ports: settings.apiServerPorts.map(tcp) },
    ],
  });
}

export function gatewayPolicy(vm: FTVirtualMachine, settings: OperatorSettings): KubernetesObject {
  const published = vm.spec.network.ports.map(({ protocol }, index) => {
    return { protocol, port: publishedPort(index) };
  });
  return policy(vm, "gateway", {
    policyTypes: ["Ingress"],
    ingress: [
      {
        from: [{ podSelector: { matchLabels: podsOf(vm, "runner") } }],
        ports: [tcp(ports.gateway)],
      },
      { from: readers(settings), ports: [tcp(ports.http)] },
      // A rule without ports would let through all of them.
      ...(published.length === 0 ? [] : [{ ports: published }]),
    ],
  });
}

function policy(vm: FTVirtualMachine, component: "runner" | "gateway", spec: object) {
  const name = objectNames(vm.metadata.name)[component];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadataOf(vm, name, componentLabels(component)),
    spec: { podSelector: { matchLabels: podsOf(vm, component) }, ...spec },
  };
}

function readers(settings: OperatorSettings): readonly object[] {
  return [
    operator(settings),
    { podSelector: { matchLabels: scrapeLabels.pod } },
    { namespaceSelector: { matchLabels: scrapeLabels.namespace } },
  ];
}

function operator({ operatorNamespace, operatorLabels }: OperatorSettings): object {
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": operatorNamespace } },
    podSelector: { matchLabels: operatorLabels },
  };
}

function tcp(port: number): object {
  return { protocol: "TCP", port };
}
