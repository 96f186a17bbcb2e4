/** A machine is switched off and on, loses both halves, is made with and without a backup, and deleted. */
import { describe, expect, test } from "@jest/globals";
import { type LockstepCluster, say } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";
import { counterSpec, tinySpec } from "../machine-specs.ts";

export function power(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("powerState", () => {
    test(
      "Stopped ends the guest and both halves; Running boots it anew",
      async () => {
        const machine = new Machine(lockstep(), "switched");
        await machine.apply(counterSpec);
        const before = await machine.whole();
        await machine.change({ powerState: "Stopped" });
        const off = await machine.until("it to be off", ({ phase }) => phase === "Stopped");
        expect([off.primary, off.backup, off.running]).toEqual([undefined, undefined, undefined]);
        await lockstep().until("its pods to go", async () => (await machine.pods()).length === 0);
        expect((await machine.condition("Ready"))?.reason).toBe("PoweredOff");
        await machine.change({ powerState: "Running" });
        const after = await machine.whole(before.epoch);
        expect(after.restarts).toBe((before.restarts ?? 0) + 1);
        await machine.delete();
      },
      timeoutMs,
    );
  });

  describe("when both halves are lost, onPairLost", () => {
    test(
      "Restart boots the machine anew, and says how often",
      async () => {
        const machine = new Machine(lockstep(), "restarts");
        await machine.apply(counterSpec);
        const before = await machine.whole();
        const begin = performance.now();
        await killBoth(machine);
        const after = await machine.until("a new boot", (seen) => {
          return (seen.running?.life ?? 0) > (before.running?.life ?? 0);
        });
        expect(after.running?.fromEpoch).toBeGreaterThanOrEqual(before.epoch ?? 0);
        const whole = await machine.whole(after.running?.fromEpoch);
        expect(whole.restarts).toBe((before.restarts ?? 0) + 1);
        say(`both halves killed: fault tolerant again after ${elapsed(begin)} ms`);
        await machine.delete();
      },
      timeoutMs,
    );

    test(
      "Hold leaves it down until it is switched off and on",
      async () => {
        const machine = new Machine(lockstep(), "holds");
        const { faultTolerance } = tinySpec;
        await machine.apply({
          ...tinySpec,
          faultTolerance: { ...faultTolerance, onPairLost: "Hold" },
        });
        const before = await machine.whole();
        await killBoth(machine);
        await machine.has("Ready", "False", "PairLost");
        const lost = await machine.status();
        expect([lost.phase, lost.restarts]).toEqual(["Lost", before.restarts]);
        await machine.change({ powerState: "Stopped" });
        await machine.until("it to be off", ({ phase }) => phase === "Stopped");
        await machine.change({ powerState: "Running" });
        expect((await machine.whole(before.epoch)).restarts).toBe((before.restarts ?? 0) + 1);
        await machine.delete();
      },
      timeoutMs,
    );
  });

  describe("faultTolerance.enabled", () => {
    test(
      "false takes the backup away from a running machine, and true gives it one",
      async () => {
        const machine = new Machine(lockstep(), "toggled");
        await machine.apply(tinySpec);
        const before = await machine.whole();
        await machine.change({ faultTolerance: { enabled: false } });
        await machine.has("FaultTolerant", "False", "Disabled");
        const alone = await machine.until("no backup", ({ backup }) => backup === undefined);
        expect(alone.primary).toEqual(before.primary);
        await lockstep().until("one pod", async () => (await machine.pods()).length === 1);
        await machine.change({ faultTolerance: { enabled: true } });
        const after = await machine.whole(before.epoch);
        expect([after.primary, after.restarts]).toEqual([before.primary, before.restarts]);
        await machine.delete();
      },
      timeoutMs,
    );
  });

  describe("a machine that is deleted leaves nothing, whether it", () => {
    const tiny = (name: string) => new Machine(lockstep(), name);
    const states: readonly [string, () => Promise<Machine>][] = [
      [
        "was made just now",
        async () => {
          const machine = tiny("deleted-early");
          await machine.apply(tinySpec);
          return machine;
        },
      ],
      [
        "is whole",
        async () => {
          const machine = tiny("deleted-whole");
          await machine.apply(tinySpec);
          await machine.whole();
          return machine;
        },
      ],
      [
        "is being switched off",
        async () => {
          const machine = tiny("deleted-stopping");
          await machine.apply(tinySpec);
          await machine.whole();
          await machine.change({ powerState: "Stopped" });
          return machine;
        },
      ],
      [
        "lost its primary just now",
        async () => {
          const machine = tiny("deleted-halved");
          await machine.apply(tinySpec);
          await machine.whole();
          await machine.kill(await machine.primary());
          return machine;
        },
      ],
      [
        "lost its primary's node",
        async () => {
          const machine = tiny("deleted-off");
          await machine.apply(tinySpec);
          await machine.whole();
          await lockstep().cluster.powerOff((await machine.primary()).node);
          return machine;
        },
      ],
      [
        "cannot be scheduled",
        async () => {
          const machine = tiny("deleted-nowhere");
          const placement = { nodeSelector: { "kubernetes.io/hostname": "nowhere" } };
          await machine.apply({ ...tinySpec, placement });
          await lockstep().until("its pods", async () => (await machine.pods()).length === 2);
          return machine;
        },
      ],
    ];

    test.each(states)(
      "%s",
      async (_, made) => {
        const machine = await made();
        const begin = performance.now();
        await machine.delete();
        say(`${machine.name}: gone after ${elapsed(begin)} ms`);
        await lockstep().until("all of it to be collected", async () => {
          return (await leftOf(lockstep(), machine)) === "";
        });
      },
      timeoutMs,
    );
  });
}

async function killBoth(machine: Machine): Promise<void> {
  const [primary, backup] = [await machine.primary(), await machine.backup()];
  await Promise.all([machine.kill(primary), machine.kill(backup)]);
}

async function leftOf(lockstep: LockstepCluster, machine: Machine): Promise<string> {
  const kinds =
    "pods,secrets,services,serviceaccounts,roles,rolebindings,networkpolicies,pdb,leases";
  const left = await lockstep.kubectl.run(["get", kinds, "-o", "name"]);
  const own = new RegExp(`/${machine.name}(-|$)`);
  return left
    .split("\n")
    .filter((name) => own.test(name))
    .join(" ");
}

function elapsed(fromMs: number): number {
  return Math.round(performance.now() - fromMs);
}
