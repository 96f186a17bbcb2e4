import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  gateway,
  machine,
  node,
  nonce,
  nowMs,
  present,
  report,
  runner,
  running,
  seen,
} from "../../../test/operator/observations.ts";
import { podName } from "../api/names.ts";
import type { FTVirtualMachineSpec } from "../api/v1alpha1.ts";
import type { Observation, ObservedNode, ObservedPod } from "./observation.ts";
import { plan } from "./plan.ts";
import { timestampOf } from "./timestamp.ts";

const nodeNames = ["node-1", "node-2", "node-3", "node-4"] as const;

const nodeArbitrary: fc.Arbitrary<[string, ObservedNode]> = fc
  .record({
    name: fc.constantFrom(...nodeNames),
    ready: fc.boolean(),
    schedulable: fc.boolean(),
    bootId: fc.constantFrom("boot-1", "boot-2", "boot-9"),
    outOfService: fc.boolean(),
  })
  .map(({ name, ...over }) => node(name, over));

const podArbitrary: fc.Arbitrary<Partial<ObservedPod>> = fc.record({
  life: fc.constantFrom(1, 2),
  role: fc.constantFrom(null, "primary" as const, "backup" as const),
  node: fc.constantFrom(null, ...nodeNames, "node-gone"),
  phase: fc.constantFrom(
    "Pending" as const,
    "Running" as const,
    "Succeeded" as const,
    "Failed" as const,
  ),
  ready: fc.boolean(),
  deleting: fc.boolean(),
  held: fc.boolean(),
  bootId: fc.constantFrom(null, "boot-1", "boot-2"),
  startedMs: fc.constantFrom(null, nowMs - 1_000, nowMs - 500_000),
  terminated: fc.constantFrom(
    null,
    ...[0, 3, 6, 10, 11, 137].map((exitCode) => ({ exitCode, message: "" })),
  ),
  report: fc.constantFrom(null, report({}), report({ role: "backup", live: false })),
});

const recordArbitrary = fc
  .record({
    epoch: fc.constantFrom(0, 1, 2, 5),
    primary: fc.option(fc.integer({ min: 1, max: 6 })),
    backup: fc.option(fc.integer({ min: 1, max: 6 })),
  })
  .filter(({ primary, backup }) => backup === null || (primary !== null && primary !== backup));

const observationArbitrary: fc.Arbitrary<Observation> = fc
  .record({
    of: recordArbitrary,
    runners: fc.array(podArbitrary, { maxLength: 5 }),
    gateways: fc.array(podArbitrary, { maxLength: 2 }),
    nodes: fc.array(nodeArbitrary, { maxLength: 4 }),
    powerState: fc.constantFrom<FTVirtualMachineSpec["powerState"]>("Running", "Stopped"),
    life: fc.option(
      fc.record({ life: fc.constantFrom(1, 2), fromEpoch: fc.constantFrom(0, 1, 2) }),
    ),
    deletedAgoMs: fc.constantFrom(null, null, null, 0, 60_000),
  })
  .map(({ of, runners, gateways, nodes, powerState, life, deletedAgoMs }) => {
    const deletionTimestamp =
      deletedAgoMs === null ? {} : { deletionTimestamp: timestampOf(nowMs - deletedAgoMs) };
    const name = (number: number | null) => (number === null ? null : nonce(number));
    const record = {
      ...of,
      vm: "3e5ae8a4-95a1-4b57-8f0c-6d1d3d6cf2a1",
      primary: name(of.epoch === 0 ? null : of.primary),
      backup: name(of.epoch === 0 ? null : of.backup),
      takeovers: 0,
    };
    const o = seen({
      vm: machine({ powerState }, deletionTimestamp),
      record: present(record),
      pods: [
        ...runners.map((over, index) => runner(index + 1, over)),
        ...gateways.map((over, index) => gateway(index + 7, over)),
      ],
      nodes: new Map(nodes),
    });
    const { running: _, ...status } = o.vm.status ?? {};
    const withLife =
      life === null ? status : { ...status, running: running(life.life, life.fromEpoch) };
    return { ...o, vm: { ...o.vm, status: withLife } };
  });

const runs = { numRuns: 250 };

function recordOf(o: Observation) {
  return o.record.kind === "present" ? o.record.record : null;
}

function isNamed(o: Observation, name: string): boolean {
  const record = recordOf(o);
  return [record?.primary, record?.backup].some((named) => named?.startsWith(`${name}_`));
}

/** Is there, in the words of the contract, a proof that the process of this pod is gone? */
function isProvenGone(o: Observation, pod: ObservedPod): boolean {
  if (pod.terminated !== null) return true;
  if (pod.node === null) return pod.deleting || pod.phase === "Failed";
  const where = o.nodes.get(pod.node);
  return (
    where === undefined ||
    where.outOfService ||
    (pod.bootId !== null && pod.bootId !== where.bootId)
  );
}

test("of a machine that is to run, no runner that the record names is ended, unless it is proven gone", () => {
  fc.assert(
    fc.property(observationArbitrary, (o) => {
      fc.pre(o.vm.metadata.deletionTimestamp === undefined);
      for (const action of plan(o).actions) {
        if (action.kind !== "deletePod" && action.kind !== "releasePod") continue;
        expect(isNamed(o, action.name)).toBe(false);
      }
    }),
    runs,
  );
});

test("the proof is kept: no pod that might yet be named loses its object while its process may live", () => {
  fc.assert(
    fc.property(observationArbitrary, (o) => {
      fc.pre(o.vm.metadata.deletionTimestamp === undefined);
      for (const action of plan(o).actions) {
        if (action.kind !== "releasePod") continue;
        const pod = o.pods.find((other) => other.name === action.name);
        const wasNamed = pod?.role !== null && !isNamed(o, action.name);
        expect(pod !== undefined && (wasNamed || isProvenGone(o, pod))).toBe(true);
      }
    }),
    runs,
  );
});

test("a machine is booted anew only at the record's epoch, with everybody whom it names proven gone", () => {
  fc.assert(
    fc.property(observationArbitrary, (o) => {
      for (const action of plan(o).actions) {
        if (action.kind !== "createPod") continue;
        const epoch = /"--restart-epoch","(\d+)"/.exec(JSON.stringify(action.pod))?.[1];
        if (epoch === undefined) continue;
        expect(Number(epoch)).toBe(recordOf(o)?.epoch);
        const named = o.pods.filter((pod) => isNamed(o, pod.name));
        expect(named.every((pod) => isProvenGone(o, pod))).toBe(true);
        const names = [recordOf(o)?.primary, recordOf(o)?.backup].filter((n) => n != null);
        expect(named.length).toBe(names.length);
      }
    }),
    runs,
  );
});

test("nothing is made that what is in the status does not cover, and never more than is missing", () => {
  fc.assert(
    fc.property(observationArbitrary, (o) => {
      const { actions, status } = plan(o);
      const made = actions.flatMap((a) => (a.kind === "createPod" ? [a.pod.metadata.name] : []));
      if (made.length > 0) expect(status.running).toEqual(o.vm.status?.running);
      const runners = made.filter((name) => name.includes("-runner-"));
      expect(runners.length).toBeLessThanOrEqual(2);
      expect(made.length - runners.length).toBeLessThanOrEqual(1);
      expect(new Set([...made, ...o.pods.map((pod) => pod.name)]).size).toBe(
        made.length + o.pods.length,
      );
      if (o.vm.spec.powerState === "Stopped") expect(made).toEqual([]);
    }),
    runs,
  );
});

test("the same sight gives the same plan, and a second look after the write of the status adds no news", () => {
  fc.assert(
    fc.property(observationArbitrary, (o) => {
      const first = plan(o);
      expect(plan(o)).toEqual(first);
      const written = { ...o, vm: { ...o.vm, status: first.status } };
      const second = plan(written);
      const third = plan({ ...written, vm: { ...o.vm, status: second.status } });
      expect(third.status).toEqual(
        plan({ ...written, vm: { ...o.vm, status: third.status } }).status,
      );
      const news = third.events.filter(
        (event) => event.reason !== "Created" && event.reason !== "GatewayReplaced",
      );
      expect(news).toEqual([]);
    }),
    { numRuns: 120 },
  );
});

test("pods are called after the machine", () => {
  expect(podName("web", "runner", 3)).toBe("web-runner-3");
});
