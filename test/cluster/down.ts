/**
 * The end of a cluster: everything that its record names, in whatever state somebody left it. Each
 * step finds for itself what is still there, so that a second `down` finishes what a first one began.
 */
import { rm } from "node:fs/promises";
import { findHierarchies, freezeGroup, removeGroup } from "./cgroups.ts";
import { alone } from "./cluster-lock.ts";
import { restoreLimits } from "./machine-limits.ts";
import { removeNetwork } from "./network.ts";
import { findProcesses, killProcesses, killUntilGone } from "./processes.ts";
import type { ClusterRecord, Records } from "./record.ts";

/**
 * Ends this very cluster, after whoever works on it: an `up` hears of it and takes down what it made
 * itself. Until the record is deleted, which only the holder of the cluster's lock does, nobody else can
 * have its name or number: so what is removed by name or number is this cluster's.
 * @throws ClusterError when something of it cannot be ended; the record then stays.
 */
export async function endCluster(records: Records, record: ClusterRecord): Promise<void> {
  const end = async () => {
    const newest = await records.find(record.spec.name);
    if (newest?.id === record.id) await takeDown(records, newest);
  };
  await alone(record, end, () => killProcesses(findProcesses(record.id)));
}

/** Its caller holds the cluster's lock. @throws ClusterError */
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
