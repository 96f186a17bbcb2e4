/** One node: switched on and off, and what is done to it while it runs. */
import { readFileSync } from "node:fs";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../../bench/waiting.ts";
import {
  doors,
  entering,
  findHierarchies,
  freezeGroup,
  groupIn,
  type Hierarchy,
  isFrozen,
  makeGroup,
  removeGroup,
} from "./cgroups.ts";
import { ClusterError, lastWords } from "./cluster-error.ts";
import { logOf } from "./control-plane.ts";
import type { Layout, NodeLayout } from "./layout.ts";
import { nodeFiles } from "./node-files.ts";
import { type ClusterProcess, findProcesses, killUntilGone, startProcess } from "./processes.ts";
import type { ClusterRecord } from "./record.ts";

const bootScript = fileURLToPath(new URL("./boot-node.sh", import.meta.url));
const bootTimeoutMs = 60_000;

/** What of the cluster's programs runs on a node. */
const nodePrograms = ["kubelet", "kube-proxy"];

/** Boots the node, and resolves when its first process runs. @throws ClusterError */
export async function switchOn(
  record: ClusterRecord,
  layout: Layout,
  node: NodeLayout,
): Promise<void> {
  if (firstProcess(record, node) !== null) return;
  const hierarchies = findHierarchies();
  await makeGroup(hierarchies, node.cgroup);
  await writeDisk(layout, node);
  const logFile = logOf(layout, node.name);
  const pid = await startProcess({
    ...{ id: record.id, role: node.name, logFile },
    command: ["bash", bootScript, "enter"],
    env: bootEnvironment(record, layout, node, hierarchies),
  });
  const booting = () => booted(record, node, pid, logFile);
  await until(`booting ${node.name}`, booting, { timeoutMs: bootTimeoutMs });
}

/** True when the first process runs. @throws ClusterError when the boot script has ended. */
async function booted(
  record: ClusterRecord,
  node: NodeLayout,
  pid: number,
  logFile: string,
): Promise<true | null> {
  if (firstProcess(record, node) !== null) return true;
  if (findProcesses(record.id).some((found) => found.pid === pid)) return null;
  throw new ClusterError(`${node.name} did not boot; ${await lastWords(logFile)}`);
}

/** As when somebody pulls the power plug: everything on it is gone at once. Its disk stays. */
export async function switchOff(record: ClusterRecord, node: NodeLayout): Promise<void> {
  const hierarchies = findHierarchies();
  await killUntilGone(node.name, () => processesOf(record, node), {
    // What is frozen must run once more, to die.
    afterEach: () => freezeGroup(hierarchies, node.cgroup, false),
  });
  await removeGroup(hierarchies, node.cgroup);
}

/** The first process of the node's own process namespace; null: it is switched off. */
export function firstProcess(record: ClusterRecord, node: NodeLayout): ClusterProcess | null {
  return processesOf(record, node).find((found) => found.isFirstOfNode) ?? null;
}

function processesOf(record: ClusterRecord, node: NodeLayout): ClusterProcess[] {
  return findProcesses(record.id).filter((found) => found.role === node.name);
}

/** @throws ClusterError when the node is switched off. */
export function requireFirstProcess(record: ClusterRecord, node: NodeLayout): ClusterProcess {
  const first = firstProcess(record, node);
  if (first !== null) return first;
  throw new ClusterError(`${node.name} is switched off; switch it on with: power-on ${node.name}`);
}

/** Ends kubelet, and keeps it from being started again; what runs in containers runs on. */
export async function stopKubelet(record: ClusterRecord, node: NodeLayout): Promise<void> {
  const first = requireFirstProcess(record, node);
  requireThawed(node.name, isFrozen(findHierarchies(), node.cgroup));
  await writeFile(stoppedFile(first), "");
  const kubelets = () => processesOf(record, node).filter((found) => found.program === "kubelet");
  await killUntilGone(`kubelet of ${node.name}`, kubelets);
}

export async function startKubelet(record: ClusterRecord, node: NodeLayout): Promise<void> {
  await rm(stoppedFile(requireFirstProcess(record, node)), { force: true });
}

/** In the node's own /run; boot-node.sh looks for it. */
function stoppedFile(first: ClusterProcess): string {
  return `/proc/${first.pid}/root/run/kubelet.stopped`;
}

/**
 * How to run a program inside the node, from outside: in the control groups of its first process, so that
 * it counts and freezes with the node, and in its namespaces. @throws ClusterError when it is frozen.
 */
export function insideNode(first: ClusterProcess, command: readonly string[]): [string, string[]] {
  const groups = readFileSync(`/proc/${first.pid}/cgroup`, "utf8");
  const entered = findHierarchies().flatMap((hierarchy) => {
    const group = groupIn(hierarchy, groups);
    return group === null ? [] : [{ hierarchy, group }];
  });
  const frozen = entered.some(({ hierarchy, group }) => isFrozen([hierarchy], group));
  requireThawed(first.role, frozen);
  const namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
  const [program, ...args] = entering(
    entered.flatMap(({ hierarchy, group }) => doors([hierarchy], group)),
    ["nsenter", `--target=${first.pid}`, ...namespaces, "--", ...command],
  );
  return [program, args];
}

function requireThawed(name: string, frozen: boolean): void {
  if (frozen) throw new ClusterError(`${name} is frozen; thaw it first, with: thaw ${name}`);
}

async function writeDisk(layout: Layout, node: NodeLayout): Promise<void> {
  const etc = path.join(node.directory, "etc");
  for (const [name, text] of nodeFiles(layout, node)) {
    await mkdir(path.dirname(path.join(etc, name)), { recursive: true });
    await writeFile(path.join(etc, name), text);
  }
  const kubernetes = path.join(etc, "kubernetes");
  await mkdir(path.join(kubernetes, "pki"), { recursive: true });
  for (const [from, to] of [
    ["ca.crt", "pki/ca.crt"],
    [`${node.name}-serving.crt`, "pki/serving.crt"],
    [`${node.name}-serving.key`, "pki/serving.key"],
    [`${node.name}.kubeconfig`, "kubelet.kubeconfig"],
    ["kube-proxy.kubeconfig", "kube-proxy.kubeconfig"],
  ] as const) {
    await copyFile(path.join(layout.pki, from), path.join(kubernetes, to));
  }
}

/** What boot-node.sh is told. */
function bootEnvironment(
  record: ClusterRecord,
  layout: Layout,
  node: NodeLayout,
  hierarchies: readonly Hierarchy[],
): Record<string, string> {
  const others = layout.nodes.filter((other) => other !== node);
  return {
    NODE: node.name,
    DISK: node.directory,
    LINK: node.link,
    BRIDGE: layout.bridge,
    CABLE: record.unplugged.includes(node.name) ? "down" : "up",
    ADDRESS: node.address,
    MACHINE_ADDRESS: layout.machineAddress,
    POD_ROUTES: others.map(({ podNetwork, address }) => `${podNetwork}@${address}`).join(" "),
    SHARED: layout.shared,
    IMAGES: layout.images,
    PROGRAMS: nodePrograms.flatMap((name) => record.programs[name] ?? []).join("\n"),
    CGROUP_DOORS: doors(hierarchies, node.cgroup).join(" "),
    CGROUP_MOUNTS: cgroupMounts(hierarchies),
  };
}

/** "2", or for version 1: NAME=OPTIONS of each hierarchy. */
function cgroupMounts(hierarchies: readonly Hierarchy[]): string {
  if (hierarchies.some(({ version }) => version === 2)) return "2";
  return hierarchies.map((h) => `${path.basename(h.directory)}=${h.options}`).join(" ");
}
