/** A cluster for one benchmark: taken down at its end, also of one that fails or is interrupted. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Cluster, type UpOptions } from "../test/cluster/cluster.ts";

const command = fileURLToPath(new URL("../test/cluster/main.ts", import.meta.url));

/** The name is of this process: another one on the machine may measure, too. */
export const ownClusterName = `bench-${process.pid}`;

/** Whatever there is of it, when the process ends before `work` has. */
export async function untilEnd<T>(work: () => Promise<T>): Promise<T> {
  process.once("exit", endCluster);
  const result = await work();
  process.off("exit", endCluster);
  return result;
}

export async function withOwnCluster<T>(
  options: Omit<UpOptions, "name">,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  return await untilEnd(async () => {
    const cluster = await Cluster.up({ ...options, name: ownClusterName });
    const result = await work(cluster);
    await cluster.down();
    return result;
  });
}

function endCluster(): void {
  spawnSync(process.execPath, ["--no-warnings", command, "down", "--name", ownClusterName]);
}
