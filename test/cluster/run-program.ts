/**
 * Runs a program to its end, and gives what it printed. The bound on its time holds whatever the program
 * does: it is the first process of a group, which is killed as a whole, and a process that has left the
 * group but holds the output open is not waited for.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import { ClusterError } from "./cluster-error.ts";
import { searchPath } from "./debian-programs.ts";

export interface RunOptions {
  /** For its standard input; none: it is empty. */
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Told what it says on standard error, while it runs. */
  readonly onStderr?: (text: string) => void;
}

export interface Ended {
  /** Its exit code; null: a signal ended it, ours after the time-out among them. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const defaultTimeoutMs = 60_000;
const wordsMax = 600;
/** For what is still in the pipes when the program has ended. */
const lastOutputMs = 1_000;

/** Those that run now. Ctrl-C in a terminal does not reach them: they end with this process. */
const groups = new Set<number>();
process.on("exit", () => {
  for (const group of groups) killGroup(group);
});

/** What it printed on standard output. @throws ClusterError with its last words when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, options);
  if (code === 0) return stdout;
  const how = code === null ? "did not end in time, or was killed" : `ended with code ${code}`;
  const words = (stderr.trim() || stdout.trim()).slice(-wordsMax);
  throw new ClusterError(`${[program, ...args].join(" ")} ${how}: ${words}`);
}

/** Fails only when the program cannot be started. @throws ClusterError */
export async function attempt(
  program: string,
  args: readonly string[],
  { input = "", timeoutMs = defaultTimeoutMs, env = process.env, onStderr }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(program, args, { env: { ...env, PATH: searchPath(env) }, detached: true });
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      printed[stream] += text;
    });
  }
  if (onStderr !== undefined) child.stderr.on("data", (text: string) => onStderr(text.trimEnd()));
  // A program that ends without reading its input says why in its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const error = await ended(child, timeoutMs);
  if (error !== null) throw new ClusterError(`cannot run ${program}: ${error.message}`);
  return { code: child.exitCode, ...printed };
}

/** Why it could not be started; null: it was, and is over, or given up. */
async function ended(
  child: ChildProcessWithoutNullStreams,
  timeoutMs: number,
): Promise<Error | null> {
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  const timers: NodeJS.Timeout[] = [];
  const error = await new Promise<Error | null>((resolve) => {
    // Whatever has come by then is read before the immediate, however late the timer is.
    const giveUpSoon = () =>
      timers.push(setTimeout(() => setImmediate(resolve, null), lastOutputMs));
    const timeout = setTimeout(() => {
      if (pid !== undefined) killGroup(pid);
      giveUpSoon();
    }, timeoutMs);
    timers.push(timeout);
    child.once("exit", () => {
      clearTimeout(timeout);
      if (pid !== undefined) groups.delete(pid);
      giveUpSoon();
    });
    child.once("error", resolve);
    child.once("close", () => resolve(null));
  });
  for (const timer of timers) clearTimeout(timer);
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  child.unref();
  return error;
}

/** Only while its first process is not over: the number may be another's afterwards. */
function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // It ends just now, or is not ours to kill, as one of sudo is not.
  }
}
