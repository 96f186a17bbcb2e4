import { expect, test } from "@jest/globals";
import { machineOf } from "../../../test/api/specs-machines.ts";
import { placementOf } from "./placement.ts";

const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
const required = "requiredDuringSchedulingIgnoredDuringExecution";
const runners = { "lockstep.dev/vm": "web", "lockstep.dev/component": "runner" };
const gateways = { "lockstep.dev/vm": "web", "lockstep.dev/component": "gateway" };
const zone = "topology.kubernetes.io/zone";

test("the halves of one machine, and of no other, never share a place of the topology key", () => {
  const vm = machineOf({ placement: { topologyKey: zone } });
  expect(placementOf(vm, "runner", [])).toMatchObject({
    affinity: {
      podAntiAffinity: {
        [required]: [{ labelSelector: { matchLabels: runners }, topologyKey: zone }],
      },
    },
  });
});

test("runners spread over zones where they can", () => {
  expect(placementOf(machineOf(), "runner", [])["topologySpreadConstraints"]).toEqual([
    {
      maxSkew: 1,
      topologyKey: zone,
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: runners },
    },
  ]);
});

test("the gateway avoids both runners, the primary more than the backup; runners avoid the gateway", () => {
  const term = (matchLabels: object) => ({
    labelSelector: { matchLabels },
    topologyKey: "kubernetes.io/hostname",
  });
  expect(placementOf(machineOf(), "gateway", [])["affinity"]).toEqual({
    podAntiAffinity: { [preferred]: [{ weight: 100, podAffinityTerm: term(runners) }] },
    podAffinity: {
      [preferred]: [
        { weight: 50, podAffinityTerm: term({ ...runners, "lockstep.dev/role": "backup" }) },
      ],
    },
  });
  expect(placementOf(machineOf(), "runner", [])).toMatchObject({
    affinity: {
      podAntiAffinity: { [preferred]: [{ weight: 100, podAffinityTerm: term(gateways) }] },
    },
  });
});

test.each(["runner", "gateway"] as const)(
  "nobody but the operator ends a %s whose node is silent",
  (component) => {
    expect(placementOf(machineOf(), component, [])["tolerations"]).toEqual([
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
    ]);
  },
);

test("what the user says of placement stays as it is, beside our own", () => {
  const tolerations = [{ key: "dedicated", operator: "Equal", value: "vm" }] as const;
  const term = {
    weight: 7,
    preference: { matchExpressions: [{ key: "ssd", operator: "Exists" }] },
  };
  const must = { nodeSelectorTerms: [{ matchExpressions: [{ key: "vm", operator: "Exists" }] }] };
  const vm = machineOf({
    placement: {
      nodeSelector: { pool: "vm" },
      tolerations,
      nodeAffinity: { [required]: must, [preferred]: [term] },
      priorityClassName: "high",
    },
  });
  const found = placementOf(vm, "runner", ["node3", "node1"]);
  expect(found).toMatchObject({ nodeSelector: { pool: "vm" }, priorityClassName: "high" });
  expect(found["tolerations"]).toEqual(expect.arrayContaining([...tolerations]));
  const without = (node: string) => ({ key: "metadata.name", operator: "NotIn", values: [node] });
  expect(found["affinity"]).toMatchObject({
    nodeAffinity: {
      [required]: must,
      [preferred]: [
        term,
        { weight: 100, preference: { matchFields: [without("node1"), without("node3")] } },
      ],
    },
  });
});

test("with nothing to avoid, and nothing said, nodes are all the same", () => {
  expect(placementOf(machineOf(), "runner", [])["affinity"]).not.toHaveProperty("nodeAffinity");
  expect(placementOf(machineOf(), "runner", [])).not.toHaveProperty("priorityClassName");
});

test("a node affinity that makes no sense is left to the API server to refuse", () => {
  const nodeAffinity = { [preferred]: "node1" };
  const vm = machineOf({ placement: { nodeAffinity } });
  expect(placementOf(vm, "runner", ["node1"])["affinity"]).toMatchObject({ nodeAffinity });
});
