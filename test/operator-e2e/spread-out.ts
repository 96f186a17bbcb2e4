/** Where a machine's parts are: on three nodes, so that the loss of one is the loss of one part. */
import type { LockstepCluster } from "./lockstep-cluster.ts";
import type { Machine } from "./machine.ts";

/** A gateway that shares a node with a runner is made anew: where there are three nodes, it avoids both. */
export async function spreadOut(lockstep: LockstepCluster, machine: Machine): Promise<void> {
  await lockstep.until("gateway, primary and backup on three nodes", async () => {
    const { primary, backup, gateway } = await machine.status();
    const nodes = [primary?.node, backup?.node, gateway?.node];
    if (nodes.includes(undefined)) return false;
    if (new Set(nodes).size === 3) return true;
    if (gateway !== undefined) await machine.deletePod(gateway.pod).catch(() => {});
    await lockstep.until("another gateway", async () => {
      const now = (await machine.status()).gateway;
      return now !== undefined && now.pod !== gateway?.pod && now.node !== undefined;
    });
    return false;
  });
  await machine.whole();
}
