/**
 * One cluster with Lockstep serves all promises. LOCKSTEP_E2E_CLUSTER names a cluster that is up already and is
 * left as it is: while a test is being written, nobody waits for a new one.
 */
import process from "node:process";
import { afterAll, beforeAll } from "@jest/globals";
import { Cluster } from "../cluster/cluster.ts";
import { uniqueName } from "../cluster/cluster-of-tests.ts";
import { LockstepCluster } from "./lockstep-cluster.ts";

const installTimeoutMs = 1_500_000;
const downTimeoutMs = 180_000;

/** Lockstep on a cluster of three nodes, for the tests of this file. */
export function withLockstep(): () => LockstepCluster {
  const known = process.env["LOCKSTEP_E2E_CLUSTER"];
  const stop = new AbortController();
  let starting: Promise<Cluster> | null = null;
  let lockstep: LockstepCluster | null = null;
  beforeAll(async () => {
    const name = uniqueName("operator");
    starting =
      known === undefined
        ? Cluster.up({ name, level: "nodes", nodes: 3, signal: stop.signal })
        : Cluster.open(known);
    lockstep = await LockstepCluster.on(await starting);
    if (known === undefined) await lockstep.install();
  }, installTimeoutMs);
  afterAll(async () => {
    stop.abort();
    const cluster = await Promise.resolve(starting).catch(() => null);
    if (known === undefined) await cluster?.down();
  }, downTimeoutMs);
  return () => {
    if (lockstep === null) throw new Error("the cluster is not up");
    return lockstep;
  };
}
