/** What of a cluster is there, asked of the machine and of the API server. */
import { addOnPrograms } from "./add-ons.ts";
import { findHierarchies, isFrozen, workingSetBytes } from "./cgroups.ts";
import { isApiReady, isRunning } from "./control-plane.ts";
import { controlPlanePrograms } from "./control-plane-arguments.ts";
import { Kubectl } from "./kubectl.ts";
import type { Layout } from "./layout.ts";
import { firstProcess } from "./node.ts";
import type { ClusterRecord, Records } from "./record.ts";

interface NodeStatus {
  readonly name: string;
  readonly address: string;
  readonly power: "on" | "off" | "frozen";
  readonly cable: "plugged" | "cut";
  /** What the API server says; null: it says nothing. */
  readonly ready: boolean | null;
}

export interface ClusterStatus {
  readonly name: string;
  readonly level: string;
  readonly profile: string;
  readonly api: "ready" | "not ready" | "stopped";
  readonly apiUrl: string;
  readonly kubeconfig: string;
  /** Programs of the control plane that should run and do not. */
  readonly missing: readonly string[];
  readonly nodes: readonly NodeStatus[];
  /** Only at the level fake-nodes. */
  readonly fakeNodes?: { readonly count: number; readonly ready: number };
  readonly memoryBytes: number;
}

export async function statusOf(records: Records, record: ClusterRecord): Promise<ClusterStatus> {
  const layout = records.layoutOf(record);
  const isReady = isRunning(record, "kube-apiserver") && (await isApiReady(layout));
  const answers = isReady
    ? await readiness(new Kubectl(record, layout))
    : new Map<string, boolean>();
  const hierarchies = layout.nodes.length > 0 ? findHierarchies() : [];
  return {
    name: record.spec.name,
    level: record.spec.level,
    profile: record.spec.profile,
    api: isReady ? "ready" : isRunning(record, "kube-apiserver") ? "not ready" : "stopped",
    apiUrl: layout.apiUrl,
    kubeconfig: layout.kubeconfig,
    missing: expectedPrograms(layout).filter((program) => !isRunning(record, program)),
    nodes: layout.nodes.map((node) => {
      const isOn = firstProcess(record, node) !== null;
      const power = !isOn ? "off" : isFrozen(hierarchies, node.cgroup) ? "frozen" : "on";
      return {
        ...{ name: node.name, address: node.address, power },
        cable: record.unplugged.includes(node.name) ? "cut" : "plugged",
        ready: answers.get(node.name) ?? null,
      };
    }),
    ...(record.spec.level === "fake-nodes" ? { fakeNodes: countReady(layout, answers) } : {}),
    memoryBytes: hierarchies.length > 0 ? workingSetBytes(hierarchies, layout.cgroup) : 0,
  };
}

function expectedPrograms({ spec: { level } }: Layout): readonly string[] {
  switch (level) {
    case "api":
      return ["etcd", "kube-apiserver"];
    case "nodes":
      return [...controlPlanePrograms, ...addOnPrograms];
    case "fake-nodes":
      return [...controlPlanePrograms, "kwok"];
  }
}

function countReady({ spec }: Layout, answers: ReadonlyMap<string, boolean>) {
  return { count: spec.nodeCount, ready: [...answers.values()].filter((ready) => ready).length };
}

async function readiness(kubectl: Kubectl): Promise<Map<string, boolean>> {
  const ready = '{.status.conditions[?(@.type=="Ready")].status}';
  const lines = `range .items[*]}{.metadata.name} ${ready}{"\\n"}{end`;
  const { code, stdout } = await kubectl.attempt(["get", "nodes", "-o", `jsonpath={${lines}}`]);
  if (code !== 0) return new Map();
  return new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => parseLine(line)),
  );
}

function parseLine(line: string): [string, boolean] {
  const [name = "", ready = ""] = line.split(" ");
  return [name, ready === "True"];
}

/** For people. */
export function describeStatus(status: ClusterStatus): string {
  const { name, level, profile, api, apiUrl, missing, nodes, fakeNodes, memoryBytes } = status;
  const memory = memoryBytes === 0 ? "" : `, ${Math.round(memoryBytes / 2 ** 20)} MiB`;
  const lines = [
    `cluster ${name}: level ${level}, timings ${profile}${memory}`,
    `  API server ${api}, ${apiUrl}`,
    `  export KUBECONFIG=${status.kubeconfig}`,
    ...missing.map((program) => `  ${program} does not run`),
    ...nodes.map((node) => `  ${describeNode(node)}`),
    ...(fakeNodes === undefined
      ? []
      : [`  fake nodes: ${fakeNodes.ready} of ${fakeNodes.count} Ready`]),
  ];
  return `${lines.join("\n")}\n`;
}

function describeNode({ name, address, power, cable, ready }: NodeStatus): string {
  const api = ready === null ? "unknown" : ready ? "Ready" : "NotReady";
  const words = [name.padEnd(8), address.padEnd(14), power.padEnd(7), api];
  return [...words, ...(cable === "cut" ? ["cable cut"] : [])].join("  ");
}
