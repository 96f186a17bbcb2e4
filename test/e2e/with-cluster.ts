/** A cluster of a test file's own. */
import { withClusterOf } from "../cluster/cluster-of-tests.ts";
import type { Level } from "../cluster/layout.ts";
import { LiveCluster } from "./live-cluster.ts";

/** The cluster of this test file's own, for its tests. */
export function withCluster(
  purpose: string,
  nodes: number,
  level: Level = "nodes",
): () => LiveCluster {
  let live: LiveCluster | null = null;
  withClusterOf({ purpose, level, nodes }, async (cluster) => {
    live = new LiveCluster(cluster, await cluster.kubectl(), await cluster.layout());
  });
  return () => {
    if (live === null) throw new Error("the cluster is not up");
    return live;
  };
}
