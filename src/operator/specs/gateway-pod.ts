/**
 * The pod of a gateway. Its process may be started again in the same pod: it has no state that counts,
 * and runners find it again by the Service. A failover never takes it out of the Service for clients.
 */
import { assert } from "../../shared/assert.ts";
import { annotations, podName, ports } from "../api/names.ts";
import type { FTVirtualMachine, RunningSpec } from "../api/v1alpha1.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import type { OperatorSettings } from "../reconcile/observation.ts";
import { hashOf } from "./object-hash.ts";
import { componentLabels, metadataOf } from "./object-metadata.ts";
import { placementOf } from "./placement.ts";
import { gatewayArguments } from "./pod-arguments.ts";
import { containerOf, mounts, podSpecOf, probe, volumesOf } from "./pod-parts.ts";
import { gatewayTemporary, resourcesOfGateway } from "./runner-resources.ts";

export interface GatewayPodOptions {
  readonly vm: FTVirtualMachine;
  readonly settings: OperatorSettings;
  readonly running: RunningSpec;
  readonly number: number;
  /** Names of nodes that it should not be on if there are others. */
  readonly avoidNodes: readonly string[];
}

/** It closes its connections and ends; nobody takes over from it. */
const terminationGraceSeconds = 5;
/** What a failover takes beyond noticing it: the record, what is left to replay, the runner's new dial. */
const failoverSeconds = 4;

export function gatewayPod(options: GatewayPodOptions): KubernetesObject {
  const { vm, settings, running, number, avoidNodes } = options;
  assert(vm.spec.network.enabled, "a guest without a network has no gateway");
  const name = podName(vm.metadata.name, "gateway", number);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadataOf(vm, name, componentLabels("gateway")),
      annotations: {
        [annotations.life]: String(running.life),
        [annotations.applied]: gatewayTemplateHash(vm, running),
      },
    },
    spec: {
      ...podSpecOf(vm, "gateway", settings),
      ...placementOf(vm, "gateway", avoidNodes),
      hostname: name,
      restartPolicy: "Always",
      terminationGracePeriodSeconds: terminationGraceSeconds,
      volumes: volumesOf(vm, gatewayTemporary),
      containers: [
        {
          name: "gateway",
          ...containerOf(running.image, settings),
          args: gatewayArguments(vm, running),
          ports: [
            { name: "runners", containerPort: ports.gateway, protocol: "TCP" },
            { name: "http", containerPort: ports.http, protocol: "TCP" },
          ],
          ...probesOf(running),
          resources: resourcesOfGateway(),
          volumeMounts: mounts,
        },
      ],
    },
  };
}

/**
 * What a gateway was made from. When it is another one, the gateway is out of date: of the spec only what
 * is in its arguments, since everything else can change beside it, and of the operator nothing, so that its
 * upgrade breaks no connection.
 */
export function gatewayTemplateHash(vm: FTVirtualMachine, running: RunningSpec): string {
  const { life, image } = running;
  return hashOf({ life, image, args: gatewayArguments(vm, running) });
}

function probesOf({ timeoutMilliseconds }: RunningSpec) {
  return {
    /** It serves as soon as its network does. */
    startupProbe: probe("/healthz", { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 60 }),
    livenessProbe: probe("/healthz", { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 6 }),
    /**
     * It is ready only while a runner is attached, and between two lives there is none. So it stays in the
     * Service for as long as a failover may take; a new connection is answered when that is over.
     */
    readinessProbe: probe("/readyz", {
      ...{ periodSeconds: 1, timeoutSeconds: 1 },
      failureThreshold: Math.ceil(timeoutMilliseconds / 1_000) + failoverSeconds,
    }),
  };
}
