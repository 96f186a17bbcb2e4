/** Every example of `examples/` is applied as it is. That of the counter is what a new user begins with. */
import { describe, expect, test } from "@jest/globals";
import { httpGet } from "../../e2e/live-cluster.ts";
import { claim, podWithVolume } from "../../e2e/objects.ts";
import { fileOf, imageRepository, type LockstepCluster } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";

export function examples(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("the example", () => {
    test(
      "of a web server counts its visits through a node port, and goes on counting after a failover",
      async () => {
        await lockstep().kubectl.run(["apply", "-f", fileOf("examples/web-server.yaml")]);
        const machine = new Machine(lockstep(), "web-server");
        await machine.whole();
        const url = async () => {
          const { node } = await machine.gateway();
          return `http://${lockstep().addressOf(node)}:${await machine.nodePort()}/`;
        };
        const before = visitsOf(await pageOf(lockstep(), await url()));
        const { epoch } = await machine.status();
        await machine.kill(await machine.primary());
        await machine.whole(epoch);
        expect(visitsOf(await pageOf(lockstep(), await url()))).toBeGreaterThan(before);
        await machine.delete();
      },
      timeoutMs,
    );

    test(
      "of several machines gives four, one of them without a backup",
      async () => {
        await lockstep().kubectl.run(["apply", "-f", fileOf("examples/several.yaml")]);
        const machines = ["tiny-1", "tiny-2", "echo"].map((name) => new Machine(lockstep(), name));
        for (const machine of machines) await machine.whole();
        const alone = new Machine(lockstep(), "tiny-alone");
        await alone.has("Ready", "True");
        await alone.has("FaultTolerant", "False", "Disabled");
        await Promise.all([...machines, alone].map((machine) => machine.delete()));
      },
      timeoutMs,
    );

    test(
      "of an imported kernel boots it from a claim, and says of the image that it cannot be had",
      async () => {
        const { kubectl } = lockstep();
        const copy =
          "set -e; mkdir -p /data/boot; cd /var/cache/lockstep/guest/*/; cp vmlinuz initrd.gz /data/boot/";
        const filler = podWithVolume("filler", "my-guest", copy);
        await kubectl.apply([claim("my-guest", "shared", "ReadWriteMany"), withImage(filler)]);
        await lockstep().live.output("filler");
        await kubectl.run(["apply", "-f", fileOf("examples/imported-kernel.yaml")]);
        const imported = new Machine(lockstep(), "imported-kernel-from-claim");
        await imported.whole();
        const stuck = new Machine(lockstep(), "imported-kernel");
        await stuck.until("the image's name in Ready's message", (seen) => {
          const ready = seen.conditions?.find(({ type }) => type === "Ready");
          return ready?.message.includes("registry.example.com/my-guest:1") ?? false;
        });
        await Promise.all([imported.delete(), stuck.delete()]);
        await kubectl.run(["delete", "pod", "filler", "--now"]);
        await kubectl.run(["delete", "pvc", "my-guest", "--wait=false"]);
      },
      timeoutMs,
    );
  });
}

/** The same pod with Lockstep's image, which has a kernel in it. */
function withImage(pod: object): object {
  const text = JSON.stringify(pod);
  return JSON.parse(text.replaceAll(/"image":"[^"]*"/g, `"image":"${imageRepository}:1"`));
}

async function pageOf(lockstep: LockstepCluster, url: string): Promise<string> {
  let page = "";
  await lockstep.until(url, async () => {
    page = (await httpGet(url)) ?? "";
    return page !== "";
  });
  return page;
}

function visitsOf(page: string): number {
  const found = /^visit (\d+),/.exec(page)?.[1];
  if (found === undefined) throw new Error(`the page tells no number of visits: ${page}`);
  return Number(found);
}
