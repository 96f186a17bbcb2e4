/** Who reaches a machine's pods: its clients its published ports, and nobody else anything. */
import { describe, expect, test } from "@jest/globals";
import { pod } from "../../e2e/objects.ts";
import { countingMachine } from "../counted.ts";
import { type LockstepCluster, operatorNamespace } from "../lockstep-cluster.ts";
import type { Machine, Place } from "../machine.ts";

export function policies(lockstep: () => LockstepCluster, timeoutMs: number): void {
  describe("the network policies of a machine", () => {
    test(
      "let another machine's runner reach its published port, and neither its halves nor its gateway",
      async () => {
        const machine = await countingMachine(lockstep());
        const labels = { "lockstep.dev/vm": "stranger", "lockstep.dev/component": "runner" };
        await lockstep().kubectl.apply([pod("stranger", "sleep 3600", { labels })]);
        await lockstep().live.podReady("stranger");
        const reaches = async (host: string, port: number) => {
          const command = ["timeout", "3", "nc", "-w", "2", host, String(port), "-e", "true"];
          return (await lockstep().live.inPod("stranger", ...command)) !== null;
        };
        const gateway = await ipOf(machine, (await machine.gateway()).pod);
        await lockstep().until("the published port", () => reaches(gateway, 20_000));
        const refuse = async (place: Place, port: number) => {
          const ip = await ipOf(machine, place.pod);
          // Somebody listens there: policies do not keep out the pod's own node.
          const connect = `exec 3<>/dev/tcp/${ip}/${port}`;
          await lockstep().cluster.exec(place.node, ["timeout", "5", "bash", "-c", connect]);
          expect([place.pod, port, await reaches(ip, port)]).toEqual([place.pod, port, false]);
        };
        await refuse(await machine.gateway(), 7_200);
        for (const half of [await machine.primary(), await machine.backup()]) {
          for (const port of [7_100, 7_101, 7_102]) await refuse(half, port);
        }
        await lockstep().kubectl.run(["delete", "pod", "stranger", "--now"]);
      },
      timeoutMs,
    );

    test(
      "let the operator ask both halves and the gateway, and give its orders to the halves",
      async () => {
        const machine = await countingMachine(lockstep());
        const name = "as-the-operator";
        const namespace = operatorNamespace;
        const labels = await lockstep().operatorLabels();
        await lockstep().kubectl.apply([pod(name, "sleep 3600", { namespace, labels })]);
        await lockstep().live.podReady(name, namespace);
        const reaches = async (host: string, port: number) => {
          const command = ["timeout", "3", "nc", "-w", "2", host, String(port), "-e", "true"];
          const inside = ["exec", "-n", namespace, name, "--", ...command];
          return (await lockstep().kubectl.attempt(inside)).code === 0;
        };
        const gateway = await ipOf(machine, (await machine.gateway()).pod);
        await lockstep().until("what the gateway says", () => reaches(gateway, 7_101));
        expect([await reaches(gateway, 7_200), await reaches(gateway, 20_000)]).toEqual([
          false,
          false,
        ]);
        for (const half of [await machine.primary(), await machine.backup()]) {
          const ip = await ipOf(machine, half.pod);
          const reached = [
            await reaches(ip, 7_100),
            await reaches(ip, 7_101),
            await reaches(ip, 7_102),
          ];
          expect([half.pod, ...reached]).toEqual([half.pod, false, true, true]);
        }
        await lockstep().kubectl.run(["delete", "pod", name, "-n", namespace, "--now"]);
      },
      timeoutMs,
    );
  });
}

async function ipOf(machine: Machine, pod: string): Promise<string> {
  const found = await machine.pod(pod);
  if (found === null) throw new Error(`there is no pod ${pod}`);
  return found.ip;
}
