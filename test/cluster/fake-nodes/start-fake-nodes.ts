/** Starts kwok and gives the cluster its fake nodes. */
import { writeFile } from "node:fs/promises";
import { until } from "../../../bench/waiting.ts";
import { requireRunning, startDaemon } from "../control-plane.ts";
import type { Kubectl } from "../kubectl.ts";
import type { Layout } from "../layout.ts";
import type { ClusterRecord } from "../record.ts";
import { fakeNode, powerLabel } from "./fake-node.ts";
import { kwokArguments, kwokConfig, kwokConfigFile } from "./kwok-config.ts";

/** kubectl sends 300 requests before it slows itself down. */
const batchSize = 250;
const readyTimeoutMs = 180_000;

/** Resolves when all of them are Ready. @throws ClusterError */
export async function startFakeNodes(
  record: ClusterRecord,
  layout: Layout,
  kubectl: Kubectl,
): Promise<void> {
  await startKwok(record, layout);
  const { nodeCount } = layout.spec;
  for (let first = 1; first <= nodeCount; first += batchSize) {
    const count = Math.min(batchSize, nodeCount - first + 1);
    await create(
      kubectl,
      Array.from({ length: count }, (_, i) => fakeNode(first + i)),
    );
  }
  const allUsable = async () => {
    if ((await usableNodes(kubectl)) === nodeCount) return true;
    await requireRunning(record, layout, "kwok");
    return null;
  };
  const timeoutMs = readyTimeoutMs;
  await until(`${nodeCount} fake nodes`, allUsable, { everyMs: 200, timeoutMs });
}

/** Ready, and without the taint that keeps pods away from a new node until that has been noticed. */
async function usableNodes(kubectl: Kubectl): Promise<number> {
  const ready = '{.status.conditions[?(@.type=="Ready")].status}';
  const lines = `range .items[*]}${ready} {.spec.taints[*].key}{"\\n"}{end`;
  const printed = await kubectl.value(lines, "nodes", "-l", `${powerLabel}=on`);
  return printed.split("\n").filter((line) => line.trim() === "True").length;
}

/** Unlike `apply`, one request each, and no annotation that holds the object a second time. */
async function create(kubectl: Kubectl, objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await kubectl.run(["create", "--validate=strict", "-f", "-"], { input: list });
}

/**
 * Its log complains of stages that it plays a second time, when it hears of a pod twice; the API server
 * refuses those.
 *
 * Once its lease of a node has run out, a kwok that was started anew takes the node over.
 */
async function startKwok(record: ClusterRecord, layout: Layout): Promise<void> {
  await writeFile(kwokConfigFile(layout), kwokConfig());
  await startDaemon(record, layout, "kwok", kwokArguments(layout));
}
