/** Parts of Kubernetes are down; machines do not live by them. */
import { describe, expect, test } from "@jest/globals";
import { whileCounting } from "../counted.ts";
import type { LockstepCluster } from "../lockstep-cluster.ts";

/** The guest counts so far in some seconds. */
const someSeconds = 300;

export function controlPlane(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("a machine", () => {
    test(
      "is not touched when the kubelet of its primary's node dies, nor when that is back",
      async () => {
        const act = async ({ machine, client, primary, before }: Parameters<Act>[0]) => {
          await lockstep().cluster.kubeletStop(primary.node);
          await lockstep().live.becomesNotReady(primary.node);
          await client.flows(someSeconds);
          await lockstep().cluster.kubeletStart(primary.node);
          await lockstep().live.becomesReady(primary.node);
          const after = await machine.whole();
          await client.flows();
          expect(after.primary).toEqual(before.primary);
          expect(after.backup).toEqual(before.backup);
          expect(after.epoch).toBe(before.epoch);
        };
        await whileCounting(lockstep(), "kubelet dead", act);
      },
      timeoutMs,
    );

    test(
      "lives on without an API server",
      async () => {
        const act = async ({ machine, client, before }: Parameters<Act>[0]) => {
          await lockstep().cluster.apiStop();
          await client.flows(someSeconds);
          await lockstep().cluster.apiStart();
          const after = await machine.whole();
          expect([after.epoch, after.primary]).toEqual([before.epoch, before.primary]);
        };
        await whileCounting(lockstep(), "API server down", act);
      },
      timeoutMs,
    );

    test.each(["primary", "backup"] as const)(
      "whose %s dies while there is no API server holds its outputs, and goes on when there is one",
      async (role) => {
        await whileCounting(lockstep(), `${role} killed without API server`, async (counted) => {
          const { machine, client, wholeAgain } = counted;
          await lockstep().cluster.apiStop();
          await machine.kill(counted[role]);
          // What was sent before is still on its way.
          await lockstep().until("silence", async () => await isSilent(client));
          await lockstep().cluster.apiStart();
          await wholeAgain();
        });
      },
      timeoutMs,
    );

    test(
      "survives the loss of its primary while no operator runs, and gets a backup when one is back",
      async () => {
        await whileCounting(lockstep(), "primary killed without operator", async (counted) => {
          const { machine, client, primary, backup, wholeAgain } = counted;
          await lockstep().scaleOperators(0);
          await machine.kill(primary);
          await client.flows(someSeconds);
          const { primary: holder, backup: other } = await machine.record();
          expect(holder?.startsWith(`${backup.pod}_`)).toBe(true);
          expect(other).toBeNull();
          await lockstep().scaleOperators(2);
          await wholeAgain();
        });
      },
      timeoutMs,
    );

    test(
      "does not notice that etcd is started anew",
      async () => {
        const act = async ({ machine, client, before }: Parameters<Act>[0]) => {
          await lockstep().restartEtcd();
          await client.flows(someSeconds);
          const after = await machine.whole();
          expect([after.epoch, after.primary]).toEqual([before.epoch, before.primary]);
        };
        await whileCounting(lockstep(), "etcd started anew", act);
      },
      timeoutMs,
    );
  });
}

type Act = Parameters<typeof whileCounting>[2];

/** No number for a second. */
async function isSilent(client: { readonly counter: { readonly count: number } }) {
  const before = client.counter.count;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return client.counter.count === before;
}
