/** Nodes are emptied for maintenance, one after the other, as `kubectl drain` does it. */
import { describe, expect, test } from "@jest/globals";
import { whileCounting } from "../counted.ts";
import type { LockstepCluster } from "../lockstep-cluster.ts";

const drainTimeoutS = 150;

export function drains(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("kubectl drain", () => {
    test(
      "of the primary's node and then of the other's moves the machine, without ending its only life",
      async () => {
        await whileCounting(lockstep(), "drain of both nodes", async (counted) => {
          const { machine, client, primary, backup, before, wholeAgain } = counted;
          // The gateway stays where it is: connections through it are none of the pair's.
          await drain(lockstep(), primary.node, machine.name);
          await lockstep().kubectl.run(["uncordon", primary.node]);
          const between = await wholeAgain();
          expect(between.primary?.node).not.toBe(primary.node);
          expect(client.problems).toEqual([]);
          const next = between.primary?.node ?? backup.node;
          await drain(lockstep(), next, machine.name);
          await lockstep().kubectl.run(["uncordon", next]);
          const after = await machine.whole(between.epoch);
          expect(after.primary?.node).not.toBe(next);
          expect(after.restarts).toBe(before.restarts);
          // Handed over, not failed over.
          expect(after.failovers).toBe(before.failovers);
        });
      },
      timeoutMs,
    );
  });
}

/** Of the machine's runners alone; other pods of the node are of other tests. */
async function drain(lockstep: LockstepCluster, node: string, machine: string): Promise<void> {
  const runners = `lockstep.dev/vm=${machine},lockstep.dev/component=runner`;
  const how = ["--ignore-daemonsets", "--force", "--delete-emptydir-data"];
  await lockstep.kubectl.run(
    ["drain", node, ...how, `--pod-selector=${runners}`, `--timeout=${drainTimeoutS}s`],
    { timeoutMs: (drainTimeoutS + 10) * 1_000 },
  );
}
