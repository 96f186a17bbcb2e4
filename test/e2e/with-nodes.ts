/** Whether a cluster with nodes can run here; its programs are built if need be, before the first test. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe } from "@jest/globals";
import { BinariesError } from "../cluster/binaries/binaries-error.ts";
import { ClusterError } from "../cluster/cluster-error.ts";
import { prepareParts } from "../cluster/parts.ts";
import { Records } from "../cluster/record.ts";
import { requireMachine } from "../cluster/requirements.ts";

const nodeCount = 3;
const whyNot = await whyNoNodes();

// On CI, as root and with Go, what cannot be prepared is a failure, and nothing to skip over.
if (whyNot !== null && process.env["CI"] === "true" && process.getuid?.() === 0 && hasGo()) {
  throw new Error(whyNot);
}

/** Behind the name of what is skipped: the reason. */
export const unlessSkipped = whyNot === null ? "" : ` (skipped: ${whyNot})`;
export const describeWithNodes = whyNot === null ? describe : describe.skip;

async function whyNoNodes(): Promise<string | null> {
  try {
    await requireMachine("nodes", nodeCount, new Records().root);
    // A first build takes minutes: not on Jest's console, which would show it only afterwards.
    await prepareParts(["nodes"], (text) => void process.stderr.write(`cluster: ${text}\n`));
    return null;
  } catch (error) {
    if (error instanceof ClusterError || error instanceof BinariesError) return error.message;
    throw error;
  }
}

function hasGo(): boolean {
  return spawnSync("go", ["version"]).status === 0;
}
