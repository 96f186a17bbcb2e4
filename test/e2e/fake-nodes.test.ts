/** The level of many nodes: kwok pretends them and their pods, the control plane is real. */
import { describe, expect, test } from "@jest/globals";
import { whyNoCluster } from "../cluster/why-no-cluster.ts";
import { deployment, shell } from "./objects.ts";
import { withCluster } from "./with-cluster.ts";

const timeoutMs = 240_000;
const lost = "fake-node-0001";

const whyNot = await whyNoCluster("fake-nodes", 50);
const describeWithFakes = whyNot === null ? describe : describe.skip;
const unlessSkipped = whyNot === null ? "" : ` (skipped: ${whyNot})`;

describeWithFakes(`a cluster of fifty fake nodes${unlessSkipped}`, () => {
  const live = withCluster("fakes", 50, "fake-nodes");

  test(
    "pods run on all of them",
    async () => {
      const { kubectl, cluster } = live();
      expect((await cluster.status()).fakeNodes).toEqual({ count: 50, ready: 50 });
      await kubectl.apply([deployment("many", 200, { containers: [shell("sleep 3600")] })]);
      await live().rolledOut("deployment/many");
      const names = await kubectl.value(".items[*].spec.nodeName", "pods", "-l", "app=many");
      expect(new Set(names.split(" ")).size).toBe(50);
    },
    timeoutMs,
  );

  test(
    "power-off of one: it is not Ready, and its pods are replaced elsewhere; power-on brings it back",
    async () => {
      const { kubectl, cluster } = live();
      await cluster.powerOff(lost);
      await live().becomesNotReady(lost);
      await live().until("its pods to be replaced", async () => {
        const elsewhere = ["-l", "app=many", `--field-selector=spec.nodeName!=${lost}`];
        const phases = await kubectl.value(".items[*].status.phase", "pods", ...elsewhere);
        return phases.split(" ").filter((phase) => phase === "Running").length === 200;
      });
      await cluster.powerOn(lost);
      await live().becomesReady(lost);
    },
    timeoutMs,
  );
});
