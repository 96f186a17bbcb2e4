/** The two ways to a VM's gateway: for clients, and for the VM's runners. */
import { objectNames, ports } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { PublishedPortSpec } from "../api/v1alpha1-spec.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import { componentLabels, metadataOf, podsOf } from "./object-metadata.ts";

/** The gateway's port for the published port at `index`; gateway and Service count alike. */
export function publishedPort(index: number): number {
  return ports.firstPublished + index;
}

/** Null: nothing is published, and a Service without a port cannot be. */
export function clientService(vm: FTVirtualMachine): KubernetesObject | null {
  const { enabled, serviceType: type, ports: published } = vm.spec.network;
  if (!enabled || published.length === 0) return null;
  const onNodes = type !== "ClusterIP";
  return service(vm, objectNames(vm.metadata.name).service, {
    type,
    // A client may come back from another address, and there is one gateway anyway.
    sessionAffinity: "None",
    // There is one gateway: with Local, all other nodes' ports would lead nowhere.
    ...(onNodes ? { externalTrafficPolicy: "Cluster" } : {}),
    ports: published.map((port, index) => servicePort(port, index, onNodes)),
  });
}

function servicePort(port: PublishedPortSpec, index: number, onNodes: boolean) {
  const nodePort = onNodes && port.nodePort !== undefined ? { nodePort: port.nodePort } : {};
  return {
    name: port.name,
    port: port.port,
    targetPort: publishedPort(index),
    protocol: port.protocol,
    ...nodePort,
  };
}

/**
 * A gateway is ready only when a runner is attached, so runners must reach one that is not. They are
 * given the Service's address as it is: no DNS stands on the way.
 */
export function gatewayService(vm: FTVirtualMachine): KubernetesObject {
  return service(vm, objectNames(vm.metadata.name).gatewayService, {
    type: "ClusterIP",
    publishNotReadyAddresses: true,
    ports: [{ name: "runners", port: ports.gateway, targetPort: ports.gateway, protocol: "TCP" }],
  });
}

function service(vm: FTVirtualMachine, name: string, spec: object): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(vm, name, componentLabels("gateway")),
    spec: { selector: podsOf(vm, "gateway"), ...spec },
  };
}
