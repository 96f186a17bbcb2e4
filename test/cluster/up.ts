/** Brings a cluster up, step by step, and says how long each took. */
import { until } from "../../bench/waiting.ts";
import { ClusterError, lastWords } from "./cluster-error.ts";
import { apiReady, logOf, requireRunning, startProgram, writeFilesOf } from "./control-plane.ts";
import { startFakeNodes } from "./fake-nodes/start-fake-nodes.ts";
import { Kubectl } from "./kubectl.ts";
import type { Layout, NodeLayout } from "./layout.ts";
import { raiseLimits } from "./machine-limits.ts";
import { makeNetwork } from "./network.ts";
import { firstProcess, switchOn } from "./node.ts";
import { giveImage, type ImageFile } from "./node-images.ts";
import type { ClusterRecord, Records } from "./record.ts";

const nodesReadyTimeoutMs = 180_000;

export interface BringUp {
  readonly records: Records;
  readonly record: ClusterRecord;
  readonly images: readonly ImageFile[];
  readonly step: (what: string) => void;
}

/** Everything below the add-ons. Whoever calls takes it down when it fails. @throws ClusterError */
export async function bringUp({ records, record, images, step }: BringUp): Promise<void> {
  const layout = records.layoutOf(record);
  await writeFilesOf(layout);
  step("certificates made");
  let current = record;
  if (record.spec.level === "nodes") {
    current = await records.exclusively(() => raiseLimits(records, record));
    await makeNetwork(layout);
    for (const image of images) await giveImage(layout, image);
  }
  await startProgram(current, layout, "etcd");
  await startProgram(current, layout, "kube-apiserver");
  const booting = layout.nodes.map((node) => switchOn(current, layout, node));
  await allOf([...booting, apiReady(current, layout)]);
  step("API server ready");
  if (record.spec.level === "api") return;
  const kubectl = new Kubectl(current, layout);
  await startControllers(current, layout, kubectl);
  step("controllers work");
  if (record.spec.level === "fake-nodes") {
    await startFakeNodes(current, layout, kubectl);
    step(`${record.spec.nodeCount} fake nodes Ready`);
    return;
  }
  await grantNodes(kubectl);
  await allOf(layout.nodes.map((node) => nodeReady(current, layout, kubectl, node)));
  if (layout.nodes.length > 0) step(`${layout.nodes.length} nodes Ready`);
}

/** Only when the API server is ready: before, kube-controller-manager is forbidden what it needs, and ends. */
async function startControllers(
  record: ClusterRecord,
  layout: Layout,
  kubectl: Kubectl,
): Promise<void> {
  await startProgram(record, layout, "kube-controller-manager");
  await startProgram(record, layout, "kube-scheduler");
  const account = async () => {
    const { code } = await kubectl.attempt(["-n", "default", "get", "serviceaccount", "default"]);
    if (code === 0) return true;
    for (const program of ["kube-controller-manager", "kube-scheduler"]) {
      await requireRunning(record, layout, program);
    }
    return null;
  };
  await until("the service account that kube-controller-manager makes", account, { everyMs: 100 });
}

/**
 * What an installer such as kubeadm does elsewhere. (Nodes get their role from RBAC as well: the Node
 * authorizer learns of a pod's claims a moment after kubelet asks for them, and each such refusal
 * costs the pod 10 to 15 s.)
 */
async function grantNodes(kubectl: Kubectl): Promise<void> {
  const binding = (name: string, role: string, subject: { kind: string; name: string }) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", ...subject }],
  });
  await kubectl.apply([
    binding("lockstep-nodes", "system:node", { kind: "Group", name: "system:nodes" }),
    binding("lockstep-kube-proxy", "system:node-proxier", {
      kind: "User",
      name: "system:kube-proxy",
    }),
  ]);
}

async function nodeReady(
  record: ClusterRecord,
  layout: Layout,
  kubectl: Kubectl,
  node: NodeLayout,
): Promise<void> {
  const cidrs = { podCIDR: node.podNetwork, podCIDRs: [node.podNetwork] };
  const patch = ["patch", "node", node.name, "-p", JSON.stringify({ spec: cidrs })];
  const registered = async () => {
    if ((await kubectl.attempt(patch)).code === 0) return true;
    if (firstProcess(record, node) !== null) return null;
    throw new ClusterError(`${node.name} has ended; ${await lastWords(logOf(layout, node.name))}`);
  };
  const timeoutMs = nodesReadyTimeoutMs;
  await until(`${node.name} to register`, registered, { everyMs: 200, timeoutMs });
  const ready = ["wait", `node/${node.name}`, "--for=condition=Ready"];
  await kubectl.run([...ready, `--timeout=${timeoutMs / 1000}s`], {
    timeoutMs: timeoutMs + 10_000,
  });
}

/**
 * Fails as the first of them did, but only when all are over: nothing may still be made by one of them
 * when what there is gets taken down.
 */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
