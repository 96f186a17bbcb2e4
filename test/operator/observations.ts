/** Observations of a machine for the tests of the plan: a healthy pair at rest, and what may differ. */
import type { Component } from "../../src/operator/api/names.ts";
import { annotations, objectNames, podName } from "../../src/operator/api/names.ts";
import type {
  FTVirtualMachine,
  FTVirtualMachineSpec,
  FTVirtualMachineStatus,
} from "../../src/operator/api/v1alpha1.ts";
import type { Action } from "../../src/operator/reconcile/actions.ts";
import {
  type Observation,
  type ObservedNode,
  type ObservedObject,
  type ObservedPod,
  type OperatorSettings,
  objectKey,
} from "../../src/operator/reconcile/observation.ts";
import { plan } from "../../src/operator/reconcile/plan.ts";
import { timestampOf } from "../../src/operator/reconcile/timestamp.ts";
import { gatewayTemplateHash } from "../../src/operator/specs/gateway-pod.ts";
import { desiredObjects } from "../../src/operator/specs/objects.ts";
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import type { RunnerStatus } from "../../src/shared/protocol/status.ts";

const uid = "3e5ae8a4-95a1-4b57-8f0c-6d1d3d6cf2a1";
export const nowMs = 1_800_000_000_000;
const leaseUid = "0b9f6f5e-4a0e-4f63-93a1-2f9b0e0f6a11";

export const settings: OperatorSettings = {
  image: "localhost/lockstep:1",
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: [],
  operatorNamespace: "lockstep-system",
  operatorLabels: { "app.kubernetes.io/name": "lockstep" },
  apiServerPorts: [443, 6443],
};

/** As the API server fills it in. */
export const defaultSpec: FTVirtualMachineSpec = {
  powerState: "Running",
  memory: "128Mi",
  boot: { guest: "default" },
  network: {
    enabled: true,
    serviceType: "ClusterIP",
    ports: [{ name: "counter", port: 7000, guestPort: 7000, protocol: "TCP" }],
  },
  faultTolerance: {
    enabled: true,
    heartbeatMilliseconds: 50,
    timeoutMilliseconds: 500,
    lagTargetMilliseconds: 20,
    onPairLost: "Restart",
  },
  placement: { topologyKey: "kubernetes.io/hostname", nodeSelector: {}, tolerations: [] },
};

export function machine(
  spec: Partial<FTVirtualMachineSpec> = {},
  metadata: Partial<FTVirtualMachine["metadata"]> = {},
): FTVirtualMachine {
  return {
    apiVersion: "lockstep.dev/v1alpha1",
    kind: "FTVirtualMachine",
    metadata: {
      name: "web",
      namespace: "default",
      uid,
      generation: 1,
      finalizers: ["lockstep.dev/power-off"],
      ...metadata,
    },
    spec: { ...defaultSpec, ...spec },
  };
}

export function nonce(number: number): string {
  return `${podName("web", "runner", number)}_0123456789abcdef`;
}

export function record(epoch: number, primary?: number, backup?: number, takeovers = 0): VmRecord {
  const name = (number: number | undefined) => (number === undefined ? null : nonce(number));
  return { vm: uid, epoch, primary: name(primary), backup: name(backup), takeovers };
}

export function present(of: VmRecord): Observation["record"] {
  return { kind: "present", uid: leaseUid, record: of };
}

function pod(component: Component, number: number, over: Partial<ObservedPod>): ObservedPod {
  return {
    name: podName("web", component, number),
    uid: `${component}-${number}`,
    component,
    number,
    life: 1,
    role: null,
    node: `node-${number}`,
    ip: `10.0.0.${number}`,
    createdMs: nowMs - 60_000,
    phase: "Running",
    ready: true,
    startedMs: nowMs - 58_000,
    deleting: false,
    held: component === "runner",
    terminated: null,
    waiting: null,
    bootId: component === "runner" ? `boot-${number}` : null,
    applied: null,
    report: null,
    ...over,
  };
}

export function runner(number: number, over: Partial<ObservedPod> = {}): ObservedPod {
  return pod("runner", number, over);
}

/** A pod that was made a moment ago and waits for a node. */
export function newRunner(number: number, over: Partial<ObservedPod> = {}): ObservedPod {
  const fresh = { node: null, ip: null, phase: "Pending", ready: false, bootId: null } as const;
  return runner(number, { ...fresh, createdMs: nowMs, startedMs: null, ...over });
}

export function gateway(number: number, over: Partial<ObservedPod> = {}): ObservedPod {
  return pod("gateway", number, over);
}

export function node(name: string, over: Partial<ObservedNode> = {}): [string, ObservedNode] {
  const number = name.split("-").at(-1);
  const labels = { "kubernetes.io/hostname": name };
  const usual = { ready: true, schedulable: true, outOfService: false };
  return [name, { name, labels, bootId: `boot-${number}`, ...usual, ...over }];
}

export function nodes(...over: [string, ObservedNode][]): Observation["nodes"] {
  return new Map([node("node-1"), node("node-2"), node("node-3"), node("node-4"), ...over]);
}

/** Everything that the machine needs, as it was applied. */
function objectsOf(vm: FTVirtualMachine): Map<string, ObservedObject> {
  const found = new Map<string, ObservedObject>();
  const { key } = objectNames(vm.metadata.name);
  const add = (kind: ObservedObject["kind"], name: string, applied: string | null) => {
    const clusterIp = kind === "Service" ? "10.96.0.7" : null;
    found.set(objectKey(kind, name), { kind, name, uid: name, ours: true, applied, clusterIp });
  };
  add("Secret", key, null);
  for (const { objectKind, object } of desiredObjects(vm, settings)) {
    add(
      objectKind,
      object.metadata.name,
      object.metadata.annotations?.[annotations.applied] ?? null,
    );
  }
  return found;
}

export function report(over: Partial<RunnerStatus>): RunnerStatus {
  const quantiles = { p50: 5, p99: 12, max: 15 };
  return {
    vm: uid,
    name: "web",
    nonce: nonce(1),
    pid: 7,
    role: "primary",
    live: true,
    epoch: 2,
    primary: nonce(1),
    backup: nonce(2),
    takeovers: 0,
    lastGoLive: null,
    step: 1_000,
    virtualMs: 60_000,
    lagEntries: 1,
    lagMs: 5,
    recentLagMs: quantiles,
    logBytes: 1,
    logEntries: 1,
    cpuLimit: 1,
    outputHoldMs: quantiles,
    network: {
      attached: true,
      ingressFrames: 0,
      ingressBytes: 0,
      egressFrames: 0,
      egressBytes: 0,
      ingressDropped: 0,
      egressDropped: 0,
      holdMs: quantiles,
    },
    transfers: {
      running: false,
      finished: 1,
      failed: 0,
      lastPauseMs: 20,
      lastMs: 900,
      lastBytes: 1,
    },
    divergences: 0,
    badMessages: 0,
    ...over,
  };
}

/** What a machine was started with, as the status keeps it. */
export function running(life = 1, fromEpoch = 0): NonNullable<FTVirtualMachineStatus["running"]> {
  return {
    life,
    fromEpoch,
    arguments: 1,
    image: settings.image,
    memory: "128Mi",
    boot: { guest: "default" },
    heartbeatMilliseconds: 50,
    timeoutMilliseconds: 500,
    lagTargetMilliseconds: 20,
  };
}

/** A healthy pair (runner 1 is the primary, 2 the backup, 3 the gateway), and what differs. */
export function seen(
  over: Partial<Observation> = {},
  status: FTVirtualMachineStatus = {},
): Observation {
  const vm = over.vm ?? machine();
  const base: FTVirtualMachineStatus = {
    record: { uid: leaseUid },
    running: running(),
    restarts: 0,
    failovers: 0,
    lastPod: 3,
    ...status,
  };
  const applied = gatewayTemplateHash(vm, base.running ?? running());
  return {
    nowMs,
    settings,
    record: present(record(2, 1, 2)),
    pods: [runner(1, { role: "primary" }), runner(2, { role: "backup" }), gateway(3, { applied })],
    nodes: nodes(),
    objects: objectsOf(vm),
    refusals: [],
    ...over,
    vm: { ...vm, status: { ...vm.status, ...base } },
  };
}

/** The same observation with the status that the plan gives, as after the write. */
export function settled(o: Observation): Observation {
  return { ...o, vm: { ...o.vm, status: plan(o).status } };
}

/** Actions in short: the kind, and whom it is about. */
export function actionsOf(o: Observation): string[] {
  return plan(o).actions.map(inShort);
}

export function inShort(action: Action): string {
  switch (action.kind) {
    case "apply":
      return `apply ${action.objectKind} ${action.object.metadata.name}`;
    case "delete":
      return `delete ${action.objectKind} ${action.name}`;
    case "createPod":
      return `create ${action.pod.metadata.name}`;
    case "deletePod":
      return `${action.force ? "force-delete" : "delete"} ${action.name}`;
    case "releasePod":
      return `release ${action.name}`;
    case "labelPod":
      return `label ${action.name}`;
    case "powerOff":
      return `power off ${action.pod}`;
    case "redial":
      return `redial ${action.pod}`;
    case "createKey":
    case "addFinalizer":
    case "removeFinalizer":
    case "createRecord":
      return action.kind;
  }
}

export function conditionOf(o: Observation, type: string): string {
  const found = plan(o).status.conditions?.find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}`;
}

export const lostAt = (
  pod: string,
  reason: "NodeLost" | "Crashed" | "Diverged" | "Refused" | "Trapped" | "LeftAlone",
) => ({
  time: timestampOf(nowMs - 1_000),
  pod,
  life: 1,
  epoch: 2,
  generation: 1,
  reason,
  message: "its last words",
});

export const killed = {
  terminated: { exitCode: 137, message: "" },
  phase: "Failed",
  ready: false,
} as const;
