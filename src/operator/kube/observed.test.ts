import { expect, test } from "@jest/globals";
import { nodeEntry, objectEntry, podEntry, type RawPod, serviceEntry } from "./observed.ts";

const owner = {
  ...{ apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine", name: "web", uid: "vm-uid" },
  controller: true,
};
const metadata = {
  ...{ name: "web-runner-12", namespace: "shop", uid: "u", resourceVersion: "7" },
  creationTimestamp: "2026-11-23T10:00:00Z",
  labels: { "lockstep.dev/vm": "web", "lockstep.dev/component": "runner" },
  ownerReferences: [owner],
};
const podOf = (raw: Partial<RawPod>) => podEntry({ metadata, ...raw })?.value.pod;

test("a pod is kept with what a plan asks about", () => {
  const words = { ...metadata.labels, "lockstep.dev/role": "backup" };
  const annotations = { "lockstep.dev/life": "3", "lockstep.dev/boot-id": "b" };
  const made = podEntry({
    metadata: { ...metadata, labels: words, annotations, finalizers: ["lockstep.dev/runner"] },
    spec: { nodeName: "node1" },
    status: {
      ...{ phase: "Running", podIP: "10.0.0.1" },
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [
        { name: "runner", state: { running: { startedAt: "2026-11-23T10:00:01Z" } } },
      ],
    },
  });
  expect(made).toMatchObject({
    key: "shop/web-runner-12",
    vm: "shop/web",
    value: { owner: "vm-uid" },
  });
  expect(made?.value.pod).toEqual({
    ...{ name: "web-runner-12", uid: "u", component: "runner", number: 12, life: 3 },
    ...{ role: "backup", node: "node1", ip: "10.0.0.1", phase: "Running", ready: true },
    createdMs: Date.parse("2026-11-23T10:00:00Z"),
    startedMs: Date.parse("2026-11-23T10:00:01Z"),
    ...{ deleting: false, held: true, terminated: null, waiting: null, bootId: "b", applied: null },
  });
});

test("a pod that is none of ours is not kept", () => {
  expect(podEntry({ metadata: { ...metadata, labels: {} } })).toBeNull();
});

test.each<[string, RawPod["status"], unknown]>([
  [
    "the scheduler's word",
    {
      conditions: [
        { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "no" },
      ],
    },
    { reason: "Unschedulable", message: "no" },
  ],
  [
    "an image that cannot be had",
    { containerStatuses: [{ state: { waiting: { reason: "ImagePullBackOff", message: "m" } } }] },
    { reason: "ImagePullBackOff", message: "m" },
  ],
  [
    "a container that is made",
    { containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } } }] },
    null,
  ],
  [
    "an eviction",
    { phase: "Failed", reason: "Evicted", message: "disk" },
    { reason: "Evicted", message: "disk" },
  ],
])("what keeps a pod from running: %s", (_, status, waiting) => {
  expect(podOf({ ...(status !== undefined && { status }) })?.waiting).toEqual(waiting);
});

test("only the kubelet's word on the container is the end of its process", () => {
  expect(podOf({ status: { phase: "Failed" } })?.terminated).toBeNull();
  const state = { terminated: { exitCode: 6, reason: "Error", message: "why", startedAt: null } };
  const ended = podOf({
    status: { phase: "Failed", containerStatuses: [{ name: "runner", state }] },
  });
  expect(ended).toMatchObject({ terminated: { exitCode: 6, message: "why" }, startedMs: null });
  // One that somebody has put beside it, and that the kubelet names first.
  const beside = { name: "istio-proxy", state };
  const running = { name: "runner", state: { running: { startedAt: "2026-11-23T10:00:01Z" } } };
  const living = podOf({ status: { phase: "Running", containerStatuses: [beside, running] } });
  expect(living).toMatchObject({ terminated: null, startedMs: expect.any(Number) });
});

test("a process that was killed for want of memory says so in the last line", () => {
  const state = { terminated: { exitCode: 137, reason: "OOMKilled", message: "its log" } };
  const ended = podOf({
    status: { phase: "Failed", containerStatuses: [{ name: "runner", state }] },
  });
  expect(ended?.terminated).toEqual({ exitCode: 137, message: "its log\nOOMKilled" });
});

test("a node is kept with whether it works, and whether somebody says that it is off", () => {
  const made = nodeEntry({
    metadata: { ...metadata, labels: { zone: "a" } },
    spec: { unschedulable: true, taints: [{ key: "node.kubernetes.io/out-of-service" }] },
    status: { conditions: [{ type: "Ready", status: "Unknown" }], nodeInfo: { bootID: "b" } },
  });
  expect(made?.value).toEqual({
    ...{ name: "web-runner-12", ready: false, schedulable: false, labels: { zone: "a" } },
    ...{ bootId: "b", outOfService: true },
  });
});

test("only a controller of our kind owns an object, and a Service without an address has none", () => {
  const other = { ...metadata, ownerReferences: [{ ...owner, kind: "Deployment" }] };
  expect(objectEntry({ metadata: other })?.value.owner).toBeNull();
  const guest = { ...metadata, ownerReferences: [{ ...owner, controller: false }] };
  expect(objectEntry({ metadata: guest })?.value.owner).toBeNull();
  expect(serviceEntry({ metadata, spec: { clusterIP: "None" } })?.value.clusterIp).toBeNull();
  expect(serviceEntry({ metadata, spec: { clusterIP: "10.1.2.3" } })?.value.clusterIp).toBe(
    "10.1.2.3",
  );
});
