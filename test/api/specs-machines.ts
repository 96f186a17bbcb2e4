/** Machines as the API server hands them to the operator, with every default filled in. */
import {
  apiVersion,
  type FTVirtualMachine,
  kind,
  type RunningSpec,
} from "../../src/operator/api/v1alpha1.ts";
import type {
  BootSpec,
  FaultToleranceSpec,
  NetworkSpec,
  PlacementSpec,
} from "../../src/operator/api/v1alpha1-spec.ts";
import type { OperatorSettings } from "../../src/operator/reconcile/observation.ts";

export const settings: OperatorSettings = {
  image: "registry.example/lockstep:2",
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: ["registry"],
  operatorNamespace: "lockstep-system",
  operatorLabels: {
    "app.kubernetes.io/name": "lockstep",
    "app.kubernetes.io/component": "operator",
  },
  apiServerPorts: [443, 6443],
};

export interface MachineParts {
  readonly name?: string;
  readonly namespace?: string;
  readonly memory?: string;
  readonly boot?: BootSpec;
  readonly network?: Partial<NetworkSpec>;
  readonly faultTolerance?: Partial<FaultToleranceSpec>;
  readonly placement?: Partial<PlacementSpec>;
}

export function machineOf(parts: MachineParts = {}): FTVirtualMachine {
  const { name = "web", namespace = "default", memory = "128Mi" } = parts;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid: "1c0ffee0-0000-4000-8000-000000000001", generation: 1 },
    spec: {
      powerState: "Running",
      memory,
      boot: parts.boot ?? { guest: "default" },
      network: { enabled: true, serviceType: "ClusterIP", ports: [], ...parts.network },
      faultTolerance: {
        enabled: true,
        ...{ heartbeatMilliseconds: 50, timeoutMilliseconds: 500, lagTargetMilliseconds: 20 },
        onPairLost: "Restart",
        ...parts.faultTolerance,
      },
      placement: {
        topologyKey: "kubernetes.io/hostname",
        nodeSelector: {},
        tolerations: [],
        ...parts.placement,
      },
    },
  };
}

/** What the machine's first boot is started with. */
export function runningOf(vm: FTVirtualMachine): RunningSpec {
  const { memory, boot, faultTolerance } = vm.spec;
  const { heartbeatMilliseconds, timeoutMilliseconds, lagTargetMilliseconds } = faultTolerance;
  return {
    ...{ life: 1, image: "registry.example/lockstep:1", fromEpoch: 0, memory, boot },
    ...{ heartbeatMilliseconds, timeoutMilliseconds, lagTargetMilliseconds },
  };
}

export const webPort = { name: "http", port: 80, guestPort: 8080, protocol: "TCP" } as const;
export const dnsPort = { name: "dns", port: 53, guestPort: 53, protocol: "UDP" } as const;
