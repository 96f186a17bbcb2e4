/** `npm run cluster` as a process of its own, with an environment of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pause } from "../../bench/waiting.ts";

export const clusterMain = fileURLToPath(new URL("./main.ts", import.meta.url));

const lastWordsMs = 1_000;

export interface Command {
  /** What it has said so far on standard error. */
  readonly said: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly hasEnded: () => boolean;
  readonly childCount: () => Promise<number>;
  /** Its exit code, or the signal that ended it. */
  readonly end: () => Promise<number | NodeJS.Signals>;
}

/** Of the environment, what is `undefined` is left out. */
export function startCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
  entrance: readonly string[] = [],
): Command {
  const [program = "", ...rest] = [...entrance, process.execPath, "--no-warnings", clusterMain];
  const child = spawn(program, [...rest, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...environment },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const exit = once(child, "exit");
  // Whoever it has left behind may hold its output open: it has ended all the same.
  const silent = Promise.race([once(child, "close"), exit.then(() => pause(lastWordsMs))]);
  const end = Promise.all([exit, silent]).then(([[code, signal]]) => {
    child.stderr.destroy();
    return code ?? signal;
  });
  return {
    said: () => said,
    kill: (signal) => void child.kill(signal),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    childCount: async () => {
      const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
      return children
        .trim()
        .split(" ")
        .filter((pid) => pid !== "").length;
    },
    end: () => end,
  };
}

/** @throws when it does not end well. */
export async function runCommand(...args: readonly string[]): Promise<void> {
  const command = startCommand(args);
  const ended = await command.end();
  if (ended !== 0) throw new Error(`${args.join(" ")} ended with ${ended}: ${command.said()}`);
}
