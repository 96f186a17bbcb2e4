/** A node lives, and nobody reaches it. */
import { describe, expect, test } from "@jest/globals";
import { exitCodes } from "../../../src/shared/exit-codes.ts";
import type { RunnerStatus } from "../../../src/shared/protocol/status.ts";
import { whileCounting } from "../counted.ts";
import type { LockstepCluster } from "../lockstep-cluster.ts";
import type { Machine, Place } from "../machine.ts";

/** The guest counts so far in some seconds. */
const someSeconds = 300;

export function cutOff(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("cut off from everything,", () => {
    test(
      "the primary's node emits nothing; the backup goes on for clients; mended, the old primary ends itself",
      async () => {
        await whileCounting(lockstep(), "primary's node cut off", async (counted) => {
          const { machine, client, primary, backup, wholeAgain } = counted;
          const old = await podOf(machine, primary);
          await lockstep().cluster.partition(primary.node);
          await wholeAgain();
          expect(await machine.primary()).toEqual(backup);

          const first = await askInside(lockstep(), primary.node, old.ip);
          await client.flows(200);
          const second = await askInside(lockstep(), primary.node, old.ip);
          expect(second.network.egressFrames).toBe(first.network.egressFrames);
          expect(second.network.attached).toBe(false);

          // Its end is the proof, and the operator lets the pod go only after it.
          const ends: (number | null)[] = [];
          await lockstep().cluster.heal(primary.node);
          await lockstep().until("the old primary's pod to go", async () => {
            const pod = (await machine.pods()).find(({ uid }) => uid === old.uid);
            if (pod !== undefined) ends.push(pod.exitCode);
            return pod === undefined;
          });
          const codes = new Set(ends.filter((code) => code !== null));
          for (const code of codes) expect(code).toBe(exitCodes.superseded);
          await lockstep().until("no process of the old primary", async () => {
            return (await askInside(lockstep(), primary.node, old.ip).catch(() => null)) === null;
          });
        });
      },
      timeoutMs,
    );

    test(
      "the backup's node is no loss for clients, and its runner ends itself when it is back",
      async () => {
        await whileCounting(lockstep(), "backup's node cut off", async (counted) => {
          const { machine, primary, backup, wholeAgain } = counted;
          const old = await podOf(machine, backup);
          await lockstep().cluster.partition(backup.node);
          await wholeAgain();
          expect(await machine.primary()).toEqual(primary);
          await lockstep().cluster.heal(backup.node);
          await lockstep().until("no process of the old backup", async () => {
            return (await askInside(lockstep(), backup.node, old.ip).catch(() => null)) === null;
          });
        });
      },
      timeoutMs,
    );
  });

  describe("of two halves that do not hear each other,", () => {
    test(
      "one goes on for clients and the other ends itself",
      async () => {
        await whileCounting(lockstep(), "halves cut off from each other", async (counted) => {
          const { machine, primary, backup, wholeAgain } = counted;
          const olds = [await podOf(machine, primary), await podOf(machine, backup)];
          await lockstep().cluster.partition(primary.node, [backup.node]);
          const { primary: now } = await machine.until("one half alone", (seen) => {
            return (seen.epoch ?? 0) > (counted.before.epoch ?? 0);
          });
          const loser = olds.find(({ name }) => name !== now?.pod);
          await lockstep().until(`no process of ${loser?.name}`, async () => {
            const { node = "", ip = "" } = loser ?? {};
            return (await askInside(lockstep(), node, ip).catch(() => null)) === null;
          });
          expect(olds.map(({ name }) => name)).toContain(now?.pod);
          await lockstep().cluster.heal(primary.node);
          await wholeAgain();
        });
      },
      timeoutMs,
    );
  });

  describe("a primary", () => {
    test(
      "whose node alone does not reach the API server lives on, and so does its backup",
      async () => {
        await whileCounting(lockstep(), "primary's node without API server", async (counted) => {
          const { machine, client, primary, before } = counted;
          await lockstep().cluster.partition(primary.node, ["api"]);
          await lockstep().live.becomesNotReady(primary.node);
          await client.flows(someSeconds);
          await lockstep().cluster.heal(primary.node);
          await lockstep().live.becomesReady(primary.node);
          const after = await machine.whole();
          expect([after.epoch, after.primary]).toEqual([before.epoch, before.primary]);
          expect(after.backup).toEqual(before.backup);
        });
      },
      timeoutMs,
    );

    test(
      "whose node stood still for a while ends itself when that goes on",
      async () => {
        await whileCounting(lockstep(), "primary's node frozen", async (counted) => {
          const { machine, primary, backup, wholeAgain } = counted;
          const old = await podOf(machine, primary);
          await lockstep().cluster.freeze(primary.node);
          await lockstep().until("a take-over", async () => {
            return (await machine.record()).primary?.startsWith(`${backup.pod}_`) ?? false;
          });
          await lockstep().cluster.thaw(primary.node);
          await lockstep().until("no process of the old primary", async () => {
            return (await askInside(lockstep(), primary.node, old.ip).catch(() => null)) === null;
          });
          await wholeAgain();
          expect(await machine.primary()).toEqual(backup);
        });
      },
      timeoutMs,
    );
  });
}

async function podOf(machine: Machine, place: Place) {
  const pod = await machine.pod(place.pod);
  if (pod === null) throw new Error(`there is no pod ${place.pod}`);
  return pod;
}

/** What a runner says to somebody on its own node. */
async function askInside(
  lockstep: LockstepCluster,
  node: string,
  ip: string,
): Promise<RunnerStatus> {
  const url = `http://${ip}:7101/status`;
  return JSON.parse(await lockstep.cluster.exec(node, ["curl", "-sf", "--max-time", "5", url]));
}
