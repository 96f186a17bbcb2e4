/**
 * Child processes of a benchmark, each pinned to one processor core. None outlives the benchmark:
 * they are killed with it, and `killAll` runs on every way out.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const children = new Set<Child>();
const words = new WeakMap<Child, string>();
const lastWordsMax = 2_000;

/** The cores that this process may run on; one computer may have cores that we may not use. */
export function usableCores(): readonly number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Runs this Node with `args` on one core. `LOCKSTEP_BENCH_NODE` adds options, to profile. */
export function startPinned(core: number, args: readonly string[]): Child {
  const extra = (process.env["LOCKSTEP_BENCH_NODE"] ?? "").split(" ").filter((x) => x !== "");
  return startProgram(core, process.execPath, ["--no-warnings", ...extra, ...args]);
}

/** Runs any program on one core, or some; it is killed when this process ends in whatever way. */
export function startProgram(
  core: number | readonly number[],
  program: string,
  args: readonly string[],
): Child {
  const cores = [core].flat().join(",");
  const command = ["--pdeathsig", "KILL", "taskset", "-c", cores, program, ...args];
  const child = spawn("setpriv", command, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  children.add(child);
  child.once("error", (error) => {
    throw new Error(`cannot run setpriv and taskset: ${error.message}; install util-linux`);
  });
  child.once("close", () => children.delete(child));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words.set(child, (lastWords(child) + text).slice(-lastWordsMax));
  });
  // Writes to a child that was killed are nobody's loss.
  child.stdin.on("error", () => {});
  return child;
}

/** The first line that the child prints. Rejects with its last words when it ends before. */
export function firstLine(child: Child): Promise<string> {
  let printed = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer) => {
      printed += bytes.toString("latin1");
      if (!printed.includes("\n")) return;
      child.stdout.off("data", take);
      resolve(printed.slice(0, printed.indexOf("\n")));
    };
    child.stdout.on("data", take);
    child.once("close", () => {
      reject(new Error(`a process ended before it was ready: ${lastWords(child)}`));
    });
  });
}

/** The end of what the child logged. */
export function lastWords(child: Child): string {
  return words.get(child) ?? "";
}

/** Sends SIGKILL, and resolves when the process is gone. */
export function killed(child: Child): Promise<void> {
  const gone = ended(child);
  child.kill("SIGKILL");
  return gone;
}

export function ended(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => void child.once("exit", () => resolve()));
}

export function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
}
