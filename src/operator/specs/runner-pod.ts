/**
 * The pod of a runner. It is bare (the operator makes it, and nobody else makes it anew) and its process
 * is never started a second time: a runner that ended is gone for good, and the kubelet says so.
 *
 * There is no preStop hook: SIGTERM itself makes the runner hand over to the backup, and the kubelet waits
 * for its end.
 */
import { assert } from "../../shared/assert.ts";
import {
  arbiterTimeoutMs,
  executionTimeoutMs,
  successorGraceMs,
  successorWaitMs,
} from "../../shared/limits.ts";
import { annotations, podName, ports, runnerFinalizer } from "../api/names.ts";
import type { KubernetesObject } from "../reconcile/actions.ts";
import type { OperatorSettings } from "../reconcile/observation.ts";
import { bootOf } from "./boot-arguments.ts";
import { componentLabels, metadataOf } from "./object-metadata.ts";
import { placementOf } from "./placement.ts";
import { leaveWaitMs, type RunnerArgumentsOptions, runnerArguments } from "./pod-arguments.ts";
import { containerOf, mounts, podSpecOf, probe, volumesOf } from "./pod-parts.ts";
import { runnerResources, runnerTemporary } from "./runner-resources.ts";

export interface RunnerPodOptions extends RunnerArgumentsOptions {
  readonly settings: OperatorSettings;
  /** Names of nodes that it should not be on if there are others. */
  readonly avoidNodes: readonly string[];
}

/**
 * A primary that is told to leave hands over to a backup in a moment. Without one it waits for the next,
 * whose pod is made meanwhile (`leaveWaitMs`).
 */
const terminationGraceSeconds = 60;
/** A living runner that is slow beyond measure may still hand over; one that stands still cannot. */
const livenessGraceSeconds = 15;

assert(
  terminationGraceSeconds * 1_000 >
    leaveWaitMs + successorWaitMs + executionTimeoutMs + successorGraceMs + 2 * arbiterTimeoutMs,
  "a runner that leaves has time to wait for a successor, and to hand over to it",
);
assert(
  livenessGraceSeconds * 1_000 > executionTimeoutMs + successorGraceMs + 2 * arbiterTimeoutMs,
  "a runner that is wrongly ended for being slow has time to hand over to its backup",
);

export function runnerPod(options: RunnerPodOptions): KubernetesObject {
  const { vm, settings, running, number, avoidNodes } = options;
  const name = podName(vm.metadata.name, "runner", number);
  const boot = bootOf(running.boot);
  const metadata = {
    ...metadataOf(vm, name, componentLabels("runner")),
    annotations: { [annotations.life]: String(running.life) },
    finalizers: [runnerFinalizer],
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: {
      ...podSpecOf(vm, "runner", settings),
      ...placementOf(vm, "runner", avoidNodes),
      hostname: name,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: terminationGraceSeconds,
      volumes: [...volumesOf(vm, runnerTemporary), ...boot.volumes],
      containers: [
        {
          name: "runner",
          ...containerOf(running.image, settings),
          args: runnerArguments(options),
          env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
          ports: [
            { name: "channel", containerPort: ports.channel, protocol: "TCP" },
            { name: "heartbeats", containerPort: ports.channel, protocol: "UDP" },
            { name: "http", containerPort: ports.http, protocol: "TCP" },
            { name: "control", containerPort: ports.control, protocol: "TCP" },
          ],
          ...probes,
          resources: runnerResources(running.memory, vm.spec.placement.resources),
          volumeMounts: [...mounts, ...boot.mounts],
        },
      ],
    },
  };
}

const probes = {
  /**
   * A runner serves only when its guest can be started; a guest that was never booted before boots first,
   * which takes minutes on a computer that is busy. Nothing waits for one that hangs here.
   */
  startupProbe: probe("/healthz", { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 600 }),
  /**
   * For a process that stands still, so that its end is proven and its place is free again. The other
   * half noticed long ago, so there is no hurry: a node that is busy, or frozen for some
   * seconds, costs nobody a runner.
   */
  livenessProbe: probe("/healthz", {
    ...{ periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 6 },
    terminationGracePeriodSeconds: livenessGraceSeconds,
  }),
  /**
   * Ready: the backup, or the primary that lives. The disruption budget counts it, so a drain goes on as
   * soon as there is a new backup, and a single answer that was late does not stop it.
   */
  readinessProbe: probe("/readyz", { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 3 }),
} as const;
