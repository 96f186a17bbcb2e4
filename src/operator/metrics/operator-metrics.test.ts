import { beforeEach, expect, test } from "@jest/globals";
import { OperatorMetrics, reconcileErrorKindOf } from "./operator-metrics.ts";

let metrics: OperatorMetrics;
beforeEach(() => {
  metrics = new OperatorMetrics();
});

/** The samples of one metric as Prometheus reads them. */
async function samples(name: string): Promise<string[]> {
  const text = await metrics.registry.metrics();
  return text.split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line));
}

const running = { type: "Ready", status: "True", reason: "GuestRuns" } as const;
const paired = { type: "FaultTolerant", status: "True", reason: "PairComplete" } as const;
const alone = { type: "FaultTolerant", status: "False", reason: "NoSecondNode" } as const;

test("machines are counted by phase and condition, and each tells its nodes", async () => {
  metrics.setLeader(true);
  const both = { phase: "Running", nodes: 2, nodesWanted: 2 } as const;
  metrics.machines.observe("a", "web", { ...both, conditions: [running, paired] });
  metrics.machines.observe("b", "web", { ...both, conditions: [running, paired] });
  const one = { phase: "Unprotected", nodes: 1, nodesWanted: 2 } as const;
  metrics.machines.observe("b", "web", { ...one, conditions: [running, alone] });
  metrics.machines.observe("c", "gone", { ...both, conditions: [running, paired] });
  metrics.machines.forget("c", "gone");
  expect(await samples("lockstep_vms")).toEqual(
    expect.arrayContaining([
      'lockstep_vms{phase="Running"} 1',
      'lockstep_vms{phase="Unprotected"} 1',
      'lockstep_vms{phase="Lost"} 0',
    ]),
  );
  expect(await samples("lockstep_vms_by_condition")).toEqual([
    'lockstep_vms_by_condition{condition="Ready",status="True",reason="GuestRuns"} 2',
    'lockstep_vms_by_condition{condition="FaultTolerant",status="True",reason="PairComplete"} 1',
    'lockstep_vms_by_condition{condition="FaultTolerant",status="False",reason="NoSecondNode"} 1',
  ]);
  expect(await samples("lockstep_vm_nodes")).toEqual([
    'lockstep_vm_nodes{namespace="a",vm="web"} 2',
    'lockstep_vm_nodes{namespace="b",vm="web"} 1',
  ]);
});

test.each([
  ["Running", 2],
  ["Unprotected", 2],
  ["Lost", 2],
  ["Stopping", 0],
  ["Stopped", 0],
  ["Terminating", 0],
] as const)(
  "nobody waits for a machine that goes off: %s wants %d nodes",
  async (phase, wanted) => {
    metrics.machines.observe("a", "web", { phase, nodes: 0, nodesWanted: 2, conditions: [] });
    expect(await samples("lockstep_vm_nodes_wanted")).toEqual([
      `lockstep_vm_nodes_wanted{namespace="a",vm="web"} ${wanted}`,
    ]);
  },
);

test("a leader without machines says so, and one that leads no more says nothing of them", async () => {
  expect(await samples("lockstep_vms")).toEqual([]);
  metrics.setLeader(true);
  expect(await samples("lockstep_vms")).toContain('lockstep_vms{phase="Running"} 0');
  const reading = { phase: "Running", nodes: 2, nodesWanted: 2, conditions: [running] } as const;
  metrics.machines.observe("a", "web", reading);
  metrics.setLeader(false);
  expect(await samples("lockstep_operator_leader")).toEqual(["lockstep_operator_leader 0"]);
  for (const name of ["vms", "vms_by_condition", "vm_nodes", "vm_nodes_wanted"]) {
    expect(await samples(`lockstep_${name}`)).toEqual([]);
  }
});

test("a reconciliation is seen while it runs, and counted once, with its error", async () => {
  const finish = metrics.startReconcile(250);
  const [age] = await samples("lockstep_operator_longest_reconcile_seconds");
  expect(Number(age?.split(" ")[1])).toBeGreaterThan(0);
  finish("conflict");
  expect(await samples("lockstep_operator_longest_reconcile_seconds")).toEqual([
    "lockstep_operator_longest_reconcile_seconds 0",
  ]);
  expect(await samples("lockstep_operator_reconcile_seconds_count")).toEqual([
    "lockstep_operator_reconcile_seconds_count 1",
  ]);
  expect(await samples("lockstep_operator_queue_latency_seconds_sum")).toEqual([
    "lockstep_operator_queue_latency_seconds_sum 0.25",
  ]);
  expect(await samples("lockstep_operator_reconcile_errors_total")).toEqual([
    'lockstep_operator_reconcile_errors_total{kind="conflict"} 1',
    'lockstep_operator_reconcile_errors_total{kind="refused"} 0',
    'lockstep_operator_reconcile_errors_total{kind="unreachable"} 0',
    'lockstep_operator_reconcile_errors_total{kind="internal"} 0',
  ]);
});

const pods = { resource: "pods", name: "pods in a" };

test("a watch that says nothing grows old, and any sign of it makes it young", async () => {
  const at = async () =>
    Number(
      (await samples("lockstep_operator_watch_last_sign_timestamp_seconds"))[0]?.split(" ")[1],
    );
  expect(await at()).toBeNaN();
  metrics.watches.onStart(pods);
  const started = await at();
  expect(started).toBeGreaterThan(Date.now() / 1_000 - 60);
  for (const sign of [
    () => metrics.watches.onEvent(pods, "bookmark"),
    () => metrics.watches.onList(pods, 3),
  ]) {
    const before = await at();
    while (Date.now() / 1_000 <= before);
    sign();
    expect(await at()).toBeGreaterThan(before);
  }
  metrics.watches.onConnected(pods);
  metrics.watches.onRestart(pods);
  expect(await samples("lockstep_operator_watch_running")).toEqual([
    'lockstep_operator_watch_running{resource="pods"} 0',
  ]);
  expect(await samples("lockstep_operator_watch_restarts_total")).toEqual([
    'lockstep_operator_watch_restarts_total{resource="pods"} 1',
  ]);
});

test("of several watches of a kind the worst is told", async () => {
  const { watches } = metrics;
  const others = { resource: "pods", name: "pods in b" };
  const value = async (name: string) =>
    (await samples(`lockstep_operator_watch_${name}`))[0]?.split(" ")[1];
  const lastSign = () => value("last_sign_timestamp_seconds");
  watches.onStart(pods);
  const silentSince = await lastSign();
  watches.onStart(others);
  watches.onConnected(others);
  expect(await value("running")).toBe("0");
  watches.onConnected(pods);
  expect(await value("running")).toBe("1");
  watches.onRestart(pods);
  expect(await value("running")).toBe("0");
  while (Date.now() / 1_000 <= Number(silentSince));
  watches.onEvent(others, "added");
  expect(await lastSign()).toBe(silentSince);
  watches.onEvent(pods, "added");
  expect(Number(await lastSign())).toBeGreaterThan(Number(silentSince));
});

test.each([
  [409, "conflict"],
  [403, "refused"],
  [422, "refused"],
  [429, "unreachable"],
  [500, "unreachable"],
  [null, "unreachable"],
  [undefined, "internal"],
] as const)("an answer %p of the API server is a %s error", (status, kind) => {
  expect(reconcileErrorKindOf(status)).toBe(kind);
});
