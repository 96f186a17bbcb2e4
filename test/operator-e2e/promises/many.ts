/** Many machines at once. */
import { describe, expect, test } from "@jest/globals";
import { type LockstepCluster, say } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";
import { tinySpec } from "../machine-specs.ts";

const count = 20;

export function many(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe(`${count} machines`, () => {
    test(
      "made at once become fault tolerant, and deleted at once are gone",
      async () => {
        const names = Array.from({ length: count }, (_, i) => `many-${i + 1}`);
        const machines = names.map((name) => new Machine(lockstep(), name));
        const begin = performance.now();
        const since = () => Math.round(performance.now() - begin);
        await Promise.all(machines.map((machine) => machine.apply(tinySpec)));
        for (const machine of machines) await machine.whole();
        say(`${count} machines: fault tolerant after ${since()} ms`);
        for (const machine of machines) {
          const { primary, backup, restarts } = await machine.status();
          expect(primary?.node).not.toBe(backup?.node);
          expect(restarts ?? 0).toBe(0);
        }
        await Promise.all(machines.map((machine) => machine.delete()));
        say(`${count} machines: gone after ${since()} ms`);
      },
      timeoutMs,
    );
  });
}
