/** Runs a program to its end, with a bound on its time, and gives what it printed. */
import { spawn } from "node:child_process";
import { ClusterError } from "./cluster-error.ts";

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
export function attempt(
  program: string,
  args: readonly string[],
  { input = "", timeoutMs = defaultTimeoutMs, env = process.env, onStderr }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(program, args, { env, timeout: timeoutMs, killSignal: "SIGKILL" });
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
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      reject(new ClusterError(`cannot run ${program}: ${error.message}`));
    });
    child.once("close", (code) => resolve({ code, ...printed }));
  });
}
