/** Starts, stops and watches the processes of the control plane. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import https from "node:https";
import path from "node:path";
import { until } from "../../bench/waiting.ts";
import { kubeconfig, makeCertificates } from "./certificates.ts";
import { doors, entering, findHierarchies, makeGroup } from "./cgroups.ts";
import { ClusterError, lastWords } from "./cluster-error.ts";
import { argumentsOf, type ControlPlaneProgram, kubeconfigOf } from "./control-plane-arguments.ts";
import { directoryError, type Layout } from "./layout.ts";
import { findProcesses, killUntilGone, startProcess } from "./processes.ts";
import type { ClusterRecord } from "./record.ts";

const readyTimeoutMs = 120_000;
const askTimeoutMs = 2_000;

/** The certificates, a kubeconfig for each who has one, and the directories. */
export async function writeFilesOf(layout: Layout): Promise<void> {
  const wrong = directoryError(layout);
  if (wrong !== null) throw new ClusterError(wrong);
  await mkdir(path.dirname(layout.directory), { recursive: true });
  // Keys, the nodes' disks and their logs are nobody else's business.
  await mkdir(layout.directory, { recursive: true, mode: 0o700 });
  for (const directory of ["logs", "pki", "etcdData", "images", "shared"] as const) {
    await mkdir(layout[directory], {
      recursive: true,
      mode: ["etcdData", "pki"].includes(directory) ? 0o700 : 0o755,
    });
  }
  await makeCertificates(layout);
  const programs = ["kube-controller-manager", "kube-scheduler", "kube-proxy"];
  const users = [...programs, "kwok", "local-path-provisioner"];
  for (const user of [...users, ...layout.nodes.map((node) => node.name)]) {
    await writeFile(kubeconfigOf(layout, user), await kubeconfig(layout, user), { mode: 0o600 });
  }
  await writeFile(layout.kubeconfig, await kubeconfig(layout, "admin"), { mode: 0o600 });
}

/** @throws ClusterError */
export async function startProgram(
  record: ClusterRecord,
  layout: Layout,
  program: ControlPlaneProgram,
): Promise<void> {
  await startDaemon(record, layout, program, argumentsOf(program, layout));
}

/**
 * A program of the cluster that runs on the machine itself, in the control plane's control group: one
 * of the record's, if it is not another `file`.
 */
export async function startDaemon(
  record: ClusterRecord,
  layout: Layout,
  name: string,
  args: readonly string[],
  file = record.programs[name],
): Promise<void> {
  if (file === undefined) {
    throw new ClusterError(`${name} is not among the programs of this cluster`);
  }
  const logFile = logOf(layout, name);
  const command = await inGroup(layout, [file, ...args]);
  await startProcess({ id: record.id, role: name, command, logFile });
}

export function logOf(layout: Layout, name: string): string {
  return path.join(layout.logs, `${name}.log`);
}

/** The command, run in the control plane's group; there is none where there are no nodes. */
async function inGroup(
  layout: Layout,
  command: readonly [string, ...string[]],
): Promise<readonly [string, ...string[]]> {
  if (layout.spec.level !== "nodes") return command;
  const hierarchies = findHierarchies();
  const group = controlPlaneGroup(layout);
  await makeGroup(hierarchies, group);
  return entering(doors(hierarchies, group), command);
}

function controlPlaneGroup(layout: Layout): string {
  return `${layout.cgroup}/control-plane`;
}

export function isRunning(record: ClusterRecord, program: string): boolean {
  return findProcesses(record.id).some((found) => found.role === program);
}

/** Ends it as a crash would. */
export async function stopProgram(record: ClusterRecord, program: string): Promise<void> {
  await killUntilGone(program, () => findProcesses(record.id).filter((p) => p.role === program));
}

/** Resolves when the API server says that it is ready. @throws ClusterError when it has ended. */
export async function apiReady(record: ClusterRecord, layout: Layout): Promise<void> {
  const ask = async () => {
    if (await isApiReady(layout)) return true;
    for (const program of ["etcd", "kube-apiserver"]) await requireRunning(record, layout, program);
    return null;
  };
  await until("the API server", ask, { everyMs: 50, timeoutMs: readyTimeoutMs });
}

/** @throws ClusterError with the end of its log. */
export async function requireRunning(
  record: ClusterRecord,
  layout: Layout,
  program: string,
): Promise<void> {
  if (isRunning(record, program)) return;
  throw new ClusterError(`${program} has ended; ${await lastWords(logOf(layout, program))}`);
}

export async function isApiReady(layout: Layout): Promise<boolean> {
  const read = (file: string) => readFile(path.join(layout.pki, file));
  const [ca, cert, key] = await Promise.all([read("ca.crt"), read("admin.crt"), read("admin.key")]);
  return await new Promise((resolve) => {
    const options = { ca, cert, key, timeout: askTimeoutMs, agent: false };
    const request = https.get(`${layout.apiUrl}/readyz`, options, (response) => {
      response.resume();
      response.once("close", () => resolve(response.statusCode === 200));
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}
