/** Runs a program that mounts and starts others so that nothing of it can be left behind. */
import process from "node:process";
import { attempt, type Ended } from "../run-program.ts";

export interface AloneOptions {
  readonly work: string;
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Its mounts are in a namespace of their own; its processes end with it, and it ends with us. Its
 * temporary files are in `work`, which is removed by whoever made it.
 * @throws ClusterError when it cannot be started.
 */
export function runAlone(
  program: string,
  args: readonly string[],
  { work, timeoutMs, env = process.env }: AloneOptions,
): Promise<Ended> {
  const namespaces = ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child=KILL"];
  const command = ["--pdeathsig", "KILL", "unshare", ...namespaces, "--", program, ...args];
  return attempt("setpriv", command, { timeoutMs, env: { ...env, TMPDIR: work } });
}

/** What it said last, for a sentence. */
export function lastWords({ stderr, stdout }: Ended): string {
  return (stderr.trim() || stdout.trim()).split("\n").slice(-4).join("; ");
}
