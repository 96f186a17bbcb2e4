/**
 * The processes of a cluster. Each carries in its environment the id of its cluster and its role
 * there; its children inherit both. The kernel keeps this record for as long as the process lives,
 * so it is never out of date, whoever was killed at whatever moment, and no foreign process is ever
 * taken for ours. (What runs in a container does not carry it: it dies with its node's first process.)
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import { pause } from "../../bench/waiting.ts";
import { ClusterError, codeOf } from "./cluster-error.ts";
import { searchPath } from "./debian-programs.ts";

const idVariable = "LOCKSTEP_CLUSTER_ID";
const roleVariable = "LOCKSTEP_CLUSTER_ROLE";
const execAttemptsMax = 20;
/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const kernelThreadFlag = 0x0020_0000;

export interface ClusterProcess {
  readonly pid: number;
  /** "etcd", "kube-apiserver" …, or the name of the node that it belongs to. */
  readonly role: string;
  /** The program's name, of at most 15 letters. */
  readonly program: string;
  /** The first process of a node's own process namespace: when it is killed, all others there are. */
  readonly isFirstOfNode: boolean;
  /** In ticks since the machine's start: tells it from a later process with its number. */
  readonly started: string;
}

export interface Start {
  readonly id: string;
  readonly role: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/** Starts a process that lives on when this one ends. @throws ClusterError */
export async function startProcess({
  id,
  role,
  command,
  env = {},
  logFile,
}: Start): Promise<number> {
  const [program, ...args] = command;
  const log = openSync(logFile, "a");
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...baseEnvironment(), ...env, ...markOf(id, role) },
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", () => resolve());
    child.once("error", (error) => {
      reject(new ClusterError(`cannot run ${program}: ${error.message}`));
    });
  });
  child.unref();
  if (child.pid === undefined) throw new ClusterError(`${program} has no process`);
  return child.pid;
}

/** In the environment of a process: it belongs to the cluster, and ends with it. */
export function markOf(id: string, role: string): Record<string, string> {
  return { [idVariable]: id, [roleVariable]: role };
}

/** Nothing of the user's settings (proxies, languages) changes what a cluster does. */
function baseEnvironment(): Record<string, string> {
  return { PATH: searchPath(process.env), HOME: os.homedir(), LC_ALL: "C.UTF-8" };
}

/** Every living process of the cluster with this id. */
export function findProcesses(id: string): ClusterProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name), id) ?? []);
}

function readProcess(pid: number, id: string): ClusterProcess | null {
  try {
    const environment = readEnvironment(pid);
    if (!environment.includes(`${idVariable}=${id}`)) return null;
    const role = environment.find((line) => line.startsWith(`${roleVariable}=`)) ?? "=";
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      pid,
      role: role.slice(role.indexOf("=") + 1),
      program: /^Name:\t(.*)$/m.exec(status)?.[1] ?? "",
      isFirstOfNode: /^NSpid:\t\d+\t1$/m.test(status),
      started: readStat(pid).started,
    };
  } catch (error) {
    if (isGoneOrForeign(error)) return null;
    throw error;
  }
}

/**
 * A process in the midst of `exec` has no environment for a moment, unlike one of the kernel, or one
 * that has ended: it is asked again, lest a scan miss it.
 */
function readEnvironment(pid: number): string[] {
  for (let attempts = 0; ; attempts++) {
    const text = readFileSync(`/proc/${pid}/environ`, "utf8");
    if (text !== "" || attempts === execAttemptsMax || !isProgram(pid)) return text.split("\0");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** Neither a thread of the kernel nor a zombie. */
function isProgram(pid: number): boolean {
  const { state, flags } = readStat(pid);
  return !"ZX".includes(state) && (flags & kernelThreadFlag) === 0;
}

/** See proc_pid_stat(5). */
function readStat(pid: number) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", started = ""] = [fields[0], fields[19]];
  return { state, started, flags: Number(fields[6]), threads: Number(fields[17]) };
}

/**
 * Whether its files and ports are free again. A process that was killed loses its environment first;
 * the files go with its last thread, when the first one may be a zombie already.
 */
function isOver({ pid, started }: ClusterProcess): boolean {
  try {
    const now = readStat(pid);
    return now.started !== started || ("ZX".includes(now.state) && now.threads <= 1);
  } catch (error) {
    if (isGoneOrForeign(error)) return true;
    throw error;
  }
}

/** Sends SIGKILL to all of them; one that has ended meanwhile is nobody's loss. */
export function killProcesses(processes: readonly ClusterProcess[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!isGoneOrForeign(error)) throw error;
    }
  }
}

/** Kills what `choose` finds until it finds nothing more, and all of it is over. @throws ClusterError */
export async function killUntilGone(
  what: string,
  choose: () => readonly ClusterProcess[],
  { afterEach = () => Promise.resolve(), timeoutMs = 60_000 } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let dying: readonly ClusterProcess[] = [];
  for (;;) {
    const found = choose();
    dying = dying.filter((one) => !isOver(one) && found.every(({ pid }) => pid !== one.pid));
    const left = [...found, ...dying];
    if (left.length === 0) return;
    if (performance.now() > deadline) {
      const names = left.map(({ pid, program }) => `${program} (${pid})`).join(", ");
      throw new ClusterError(
        `${what}: ${names} did not end within ${timeoutMs / 1000} s of SIGKILL`,
      );
    }
    killProcesses(found);
    dying = left;
    await afterEach();
    await pause(20);
  }
}

function isGoneOrForeign(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(String(codeOf(error)));
}
