/** What cannot work becomes a condition that says why, and works as soon as it is corrected. */
import { describe, expect, test } from "@jest/globals";
import type { LockstepCluster } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";
import { tinySpec } from "../machine-specs.ts";

export function badInput(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("a machine says why it does not run", () => {
    test(
      "when its kernel's volume does not exist, and runs when the spec is corrected",
      async () => {
        const machine = new Machine(lockstep(), "no-volume");
        const volume = { persistentVolumeClaim: { claimName: "no-such-claim" } };
        await machine.apply({
          memory: "32Mi",
          boot: { kernel: { volume, path: "vmlinuz", initrd: "initrd.gz" } },
          network: { enabled: false },
        });
        const status = await machine.until("the claim's name in Ready's message", (seen) => {
          const ready = seen.conditions?.find(({ type }) => type === "Ready");
          return ready?.message.includes("no-such-claim") ?? false;
        });
        expect(status.conditions?.find(({ type }) => type === "Ready")?.status).toBe("False");
        await machine.change({ boot: { guest: "tiny", kernel: null } });
        await machine.whole();
        await machine.delete();
      },
      timeoutMs,
    );

    test(
      "when its kernel is not in the volume: after two tries, with what the runner said",
      async () => {
        const machine = new Machine(lockstep(), "no-kernel");
        const volume = { configMap: { name: "no-kernel" } };
        await lockstep().kubectl.run(["create", "configmap", "no-kernel", "--from-literal=a=b"]);
        await machine.apply({
          memory: "32Mi",
          boot: { kernel: { volume, path: "vmlinuz", initrd: "initrd.gz" } },
          network: { enabled: false },
        });
        const status = await machine.has("Ready", "False", "BootFailed");
        expect(status.phase).toBe("Failed");
        const ready = status.conditions?.find(({ type }) => type === "Ready");
        expect(ready?.message).toMatch(/vmlinuz/);
        await machine.change({ boot: { guest: "tiny", kernel: null } });
        await machine.whole();
        await machine.delete();
        await lockstep().kubectl.run(["delete", "configmap", "no-kernel"]);
      },
      timeoutMs,
    );

    test(
      "and why it has no backup, when there is no second node for one",
      async () => {
        const machine = new Machine(lockstep(), "one-node");
        const placement = { nodeSelector: { "kubernetes.io/hostname": "node1" } };
        await machine.apply({ ...tinySpec, placement });
        await machine.has("Ready", "True");
        const status = await machine.has("FaultTolerant", "False", "NoSecondNode");
        expect(status.phase).toBe("Unprotected");
        await machine.delete();
      },
      timeoutMs,
    );
  });
}
