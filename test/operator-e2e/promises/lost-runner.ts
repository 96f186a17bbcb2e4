/** A half of the pair ends; whoever talks to the guest does not notice but for a short silence. */
import { describe, expect, test } from "@jest/globals";
import { whileCounting } from "../counted.ts";
import { PodClient } from "../counting-client.ts";
import { type LockstepCluster, say } from "../lockstep-cluster.ts";

export function lostRunner(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("a client of the Service, in a pod and outside,", () => {
    test(
      "goes on counting when the primary's pod is deleted by force",
      async () => {
        await whileCounting(lockstep(), "forced deletion", async ({ machine, ...counted }) => {
          const { gateway, primary, backup, wholeAgain } = counted;
          const client = { name: "counting-client", node: gateway.node, service: machine.name };
          const inside = await PodClient.start(lockstep(), client);
          await machine.deletePod(primary.pod, "--force", "--grace-period=0");
          await wholeAgain();
          const report = await inside.flows();
          say(`forced deletion, from a pod: longest silence ${report.longestGapMs} ms`);
          expect(report.problems).toEqual([]);
          expect(await machine.primary()).toEqual(backup);
          await inside.remove();
        });
      },
      timeoutMs,
    );

    test(
      "goes on counting when the primary's pod is deleted: it hands over",
      async () => {
        await whileCounting(lockstep(), "deletion", async (counted) => {
          const { machine, primary, backup, before, wholeAgain } = counted;
          await machine.deletePod(primary.pod);
          const after = await wholeAgain();
          expect(await machine.primary()).toEqual(backup);
          expect([after.failovers, after.restarts]).toEqual([before.failovers, before.restarts]);
        });
      },
      timeoutMs,
    );

    test(
      "goes on counting when the primary's process is killed",
      async () => {
        await whileCounting(lockstep(), "SIGKILL of the primary", async (counted) => {
          const { machine, primary, backup, before, wholeAgain } = counted;
          await machine.kill(primary);
          const after = await wholeAgain();
          expect(await machine.primary()).toEqual(backup);
          expect(after.failovers).toBe((before.failovers ?? 0) + 1);
          expect(after.lastFailover?.gapMilliseconds).toBeGreaterThan(0);
        });
      },
      timeoutMs,
    );

    test(
      "goes on counting when the backup's process is killed",
      async () => {
        await whileCounting(lockstep(), "SIGKILL of the backup", async (counted) => {
          const { machine, primary, backup, before, wholeAgain } = counted;
          await machine.kill(backup);
          const after = await wholeAgain();
          expect(await machine.primary()).toEqual(primary);
          expect(after.failovers).toBe(before.failovers);
          expect(after.backup?.pod).not.toBe(backup.pod);
        });
      },
      timeoutMs,
    );
  });
}
