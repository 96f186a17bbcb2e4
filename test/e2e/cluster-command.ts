/** `npm run cluster`, as a process of its own that can be killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "../../bench/waiting.ts";

const main = fileURLToPath(new URL("../cluster/main.ts", import.meta.url));
const endTimeoutMs = 240_000;

export interface ClusterCommand {
  /** What it has said so far. */
  readonly said: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Its exit code, or the signal that ended it. */
  readonly end: () => Promise<number | NodeJS.Signals | null>;
}

export function startCommand(...args: readonly string[]): ClusterCommand {
  const child = spawn(process.execPath, ["--no-warnings", main, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  let ended: number | NodeJS.Signals | null = null;
  // What it has left behind may hold its output open: it has ended all the same.
  const exit = once(child, "exit").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    ended = code ?? signal ?? null;
    child.stderr.destroy();
  });
  return {
    said: () => said,
    kill: (signal) => void child.kill(signal),
    end: async () => {
      await Promise.race([
        exit,
        until(`${args.join(" ")}: ${said}`, () => ended, { timeoutMs: endTimeoutMs }),
      ]);
      return ended;
    },
  };
}

/** @throws when it does not end well. */
export async function runCommand(...args: readonly string[]): Promise<void> {
  const command = startCommand(...args);
  const ended = await command.end();
  if (ended !== 0) throw new Error(`${args.join(" ")} ended with ${ended}: ${command.said()}`);
}
