/**
 * The end of a cluster: everything that its record names, in whatever state somebody left it. Each
 * step finds for itself what is still there, so that a second `down` finishes what a first one began.
 */
import { rm } from "node:fs/promises";
import { findHierarchies, freezeGroup, removeGroup } from "./cgroups.ts";
import { restoreLimits } from "./machine-limits.ts";
import { removeNetwork } from "./network.ts";
import { findProcesses, killUntilGone } from "./processes.ts";
import type { ClusterRecord, Records } from "./record.ts";

/** @throws ClusterError when something of it cannot be ended; the record then stays. */
export async function takeDown(records: Records, record: ClusterRecord): Promise<void> {
  const layout = records.layoutOf(record);
  const hasNodes = record.spec.level === "nodes";
  const hierarchies = hasNodes ? findHierarchies() : [];
  const thaw = async () => {
    for (const node of layout.nodes) await freezeGroup(hierarchies, node.cgroup, false);
  };
  // The nodes' first processes take everything in the nodes with them.
  await killUntilGone(record.spec.name, () => findProcesses(record.id), { afterEach: thaw });
  if (hasNodes) {
    await removeGroup(hierarchies, layout.cgroup);
    await removeNetwork(layout);
  }
  await rm(layout.directory, { recursive: true, force: true, maxRetries: 10 });
  await records.exclusively(async () => {
    await restoreLimits(records, record);
    await records.delete(record);
  });
}
