/**
 * Whether the tests of a level can run here; its programs (and images) are built if need be, before the
 * first test. Where they cannot, they are skipped by name with the reason; but not on CI, where what
 * cannot be prepared although there is all to build it with is a failure.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { BinariesError } from "./binaries/binaries-error.ts";
import { ClusterError } from "./cluster-error.ts";
import type { Level } from "./layout.ts";
import { prepareParts } from "./parts.ts";
import { Records } from "./record.ts";
import { requireMachine } from "./requirements.ts";

/** Null: nothing keeps them from running. @throws Error on CI, with the reason. */
export async function whyNoCluster(level: Level, nodeCount: number): Promise<string | null> {
  const why = await findReason(level, nodeCount);
  const mayRun = level !== "nodes" || process.getuid?.() === 0;
  if (why !== null && process.env["CI"] === "true" && mayRun && hasGo()) throw new Error(why);
  return why;
}

async function findReason(level: Level, nodeCount: number): Promise<string | null> {
  try {
    await requireMachine(level, nodeCount, new Records().root);
    // A first build takes minutes: not on Jest's console, which would show it only afterwards.
    await prepareParts([level], (text) => void process.stderr.write(`cluster: ${text}\n`));
    return null;
  } catch (error) {
    if (error instanceof ClusterError || error instanceof BinariesError) return error.message;
    throw error;
  }
}

function hasGo(): boolean {
  return spawnSync("go", ["version"]).status === 0;
}
