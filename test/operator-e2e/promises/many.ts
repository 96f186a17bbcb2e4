/** Many machines at once. */
import { cpus } from "node:os";
import process from "node:process";
import { describe, expect, test } from "@jest/globals";
import { type LockstepCluster, say } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";
import { tinySpec } from "../machine-specs.ts";

/**
 * Twenty, where there are cores for their forty runners: one that does nothing takes about a tenth of a core.
 * LOCKSTEP_E2E_MACHINES says another number.
 */
const count = Number(process.env["LOCKSTEP_E2E_MACHINES"] ?? Math.min(20, 4 * cpus().length));
const manyTimeoutMs = 360_000;
/** On so few cores a runner may well be silent for seconds. */
const spec = {
  ...tinySpec,
  faultTolerance: { heartbeatMilliseconds: 500, timeoutMilliseconds: 10_000 },
};

export function many(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe(`${count} machines`, () => {
    test(
      "made at once become fault tolerant, and deleted at once are gone",
      async () => {
        const names = Array.from({ length: count }, (_, i) => `many-${i + 1}`);
        const machines = names.map((name) => new Machine(lockstep(), name));
        const begin = performance.now();
        const since = () => Math.round(performance.now() - begin);
        await Promise.all(machines.map((machine) => machine.apply(spec)));
        await Promise.all(machines.map((machine) => machine.whole(-1, manyTimeoutMs)));
        say(`${count} machines: fault tolerant after ${since()} ms`);
        for (const machine of machines) {
          const { primary, backup, restarts } = await machine.status();
          expect(primary?.node).toBeDefined();
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
