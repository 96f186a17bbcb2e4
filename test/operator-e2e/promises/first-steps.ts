/** What a new user does first: the example is applied, and is a fault-tolerant machine. */
import { describe, expect, test } from "@jest/globals";
import { CountingClient, PodClient } from "../counting-client.ts";
import { fileOf, type LockstepCluster, say } from "../lockstep-cluster.ts";
import { Machine } from "../machine.ts";

export function firstSteps(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("examples/counter.yaml", () => {
    test(
      "applied, it gets Ready and fault tolerant on two nodes, and its Service counts for a pod and a node port",
      async () => {
        const { kubectl } = lockstep();
        const begin = performance.now();
        const since = () => Math.round(performance.now() - begin);
        await kubectl.run(["apply", "-f", fileOf("examples/counter.yaml")]);
        const counter = new Machine(lockstep(), "counter");
        await counter.has("Ready", "True");
        const readyMs = since();
        const status = await counter.whole();
        say(`examples/counter.yaml: Ready after ${readyMs} ms, fault tolerant after ${since()} ms`);
        expect(status.phase).toBe("Running");
        expect(status.primary?.node).not.toBe(status.backup?.node);
        const columns = (await kubectl.run(["get", "ftvm", "counter"])).trim().split("\n");
        expect(columns[0]).toMatch(
          /^NAME +STATUS +PRIMARY +BACKUP +EPOCH +LAG\(MS\) +FAILOVERS +AGE/,
        );
        expect(columns[1]).toMatch(/^counter +Running +node[123] +node[123] +\d+ /);

        await counter.change({ network: { serviceType: "NodePort" } });
        await lockstep().until("a node port", async () => (await counter.nodePort()) > 0);
        const gateway = await counter.gateway();
        const outside = await CountingClient.connect(
          lockstep().addressOf(gateway.node),
          await counter.nodePort(),
        );
        const inside = await PodClient.start(lockstep(), {
          ...{ name: "first-client", node: gateway.node, service: "counter" },
        });
        await outside.flows();
        expect(outside.problems).toEqual([]);
        expect((await inside.flows()).problems).toEqual([]);
        outside.close();
        await inside.remove();
        await counter.delete();
      },
      timeoutMs,
    );
  });
}
