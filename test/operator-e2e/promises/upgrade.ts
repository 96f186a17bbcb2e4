/** Lockstep itself is upgraded while machines run. */
import { describe, expect, test } from "@jest/globals";
import { whileCounting } from "../counted.ts";
import { imageRepository, type LockstepCluster } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";
import { tinySpec } from "../machine-specs.ts";

export function upgrades(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("an upgrade of the chart", () => {
    test(
      "leaves running machines with the runner that they have, new halves too, and they say that there is a newer one",
      async () => {
        await tagImage(lockstep(), "2");
        const first = `${imageRepository}:1`;
        const second = `${imageRepository}:2`;
        try {
          await whileCounting(lockstep(), "upgrade, and then a lost primary", async (counted) => {
            const { machine, primary, before, wholeAgain } = counted;
            await lockstep().upgrade("2");
            await machine.has("RestartRequired", "True", "NewVersion");
            const after = await machine.status();
            expect([after.epoch, after.primary]).toEqual([before.epoch, before.primary]);
            await machine.kill(primary);
            const whole = await wholeAgain();
            expect(whole.running?.image).toBe(first);
            expect(new Set(await imagesOf(lockstep(), machine))).toEqual(new Set([first]));
          });
          const fresh = new Machine(lockstep(), "upgraded");
          await fresh.apply(tinySpec);
          expect((await fresh.whole()).running?.image).toBe(second);
          expect((await fresh.condition("RestartRequired"))?.reason).toBe("UpToDate");
          await fresh.delete();
        } finally {
          await lockstep().upgrade("1");
        }
        const counting = new Machine(lockstep(), "counting");
        await counting.has("RestartRequired", "False", "UpToDate");
      },
      timeoutMs,
    );
  });
}

/** The same image by another name, on every node. */
async function tagImage({ cluster, layout }: LockstepCluster, tag: string): Promise<void> {
  for (const { name } of layout.nodes) {
    const command = ["ctr", "-n", "k8s.io", "images", "tag", "--force"];
    await cluster.exec(name, [...command, `${imageRepository}:1`, `${imageRepository}:${tag}`]);
  }
}

/** Of the machine's pods. */
async function imagesOf({ kubectl }: LockstepCluster, { name }: Machine): Promise<string[]> {
  const images = ".items[*].spec.containers[0].image";
  return (await kubectl.value(images, "pods", "-l", `lockstep.dev/vm=${name}`)).split(" ");
}
