/**
 * One at a time among all processes of this machine. The kernel holds the lock (flock) for a child
 * that waits for the end of its input: whoever is killed, its child's input ends, and the lock is free.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ClusterError } from "./cluster-error.ts";

const waitSeconds = 120;

/** @throws ClusterError when somebody else holds the lock for longer than the bound. */
export async function withMachineLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn(
    "flock",
    ["--wait", String(waitSeconds), file, "sh", "-c", "echo held; cat"],
    {
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C is for us: the lock must not be gone before what it protects is done.
      detached: true,
    },
  );
  let words = "";
  holder.stderr.setEncoding("utf8").on("data", (text: string) => {
    words += text;
  });
  const ended = new Promise<"ended">((resolve, reject) => {
    holder.once("close", () => resolve("ended"));
    holder.once("error", (error) => {
      reject(new ClusterError(`cannot run flock: ${error.message}; install util-linux`));
    });
  });
  const first = await Promise.race([once(holder.stdout, "data"), ended]);
  if (first === "ended") {
    if (words !== "") throw new ClusterError(`cannot lock ${file}: ${words.trim()}`);
    throw new ClusterError(
      `another command has held ${file} for ${waitSeconds} s; wait for it, or end it`,
    );
  }
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
