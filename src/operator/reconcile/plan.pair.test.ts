import { describe, expect, test } from "@jest/globals";
import {
  actionsOf,
  conditionOf,
  defaultSpec,
  gateway,
  inShort,
  killed,
  lostAt,
  machine,
  newRunner,
  node,
  nodes,
  nonce,
  nowMs,
  present,
  record,
  report,
  runner,
  running,
  seen,
  settled,
} from "../../../test/operator/observations.ts";
import { gatewayTemplateHash } from "../specs/gateway-pod.ts";
import { plan } from "./plan.ts";
import { timestampOf } from "./timestamp.ts";

describe("a pair at rest", () => {
  test("nothing is done, and the status stays as it is", () => {
    const o = settled(settled(seen()));
    const again = plan({ ...o, nowMs: nowMs + 3_600_000 });
    expect(again.actions).toEqual([]);
    expect(again.events).toEqual([]);
    expect(again.status).toEqual(o.vm.status);
    expect(again.againInMs).toBeNull();
  });

  test("status, conditions and places tell of the pair", () => {
    const { status } = plan(seen());
    expect(status).toMatchObject({
      phase: "Running",
      epoch: 2,
      primary: { pod: "web-runner-1", node: "node-1" },
      backup: { pod: "web-runner-2", node: "node-2" },
      gateway: { pod: "web-gateway-3", node: "node-3" },
    });
    expect(conditionOf(seen(), "Ready")).toBe("True GuestRuns");
    expect(conditionOf(seen(), "FaultTolerant")).toBe("True PairComplete");
  });

  test("a lag that moves a little is told in the same step", () => {
    const lag = (p99: number) => {
      const mine = report({ recentLagMs: { p50: 1, p99, max: 99 } });
      return [runner(1, { role: "primary", report: mine }), runner(2, { role: "backup" })];
    };
    const at = (p99: number, before?: number) =>
      plan(seen({ pods: lag(p99) }, before === undefined ? {} : { lagMilliseconds: before })).status
        .lagMilliseconds;
    expect(at(12)).toBe(20);
    expect(at(60)).toBe(100);
    expect(at(40, 100)).toBe(100);
    expect(at(20, 100)).toBe(20);
    expect(at(600, 20)).toBe(1_000);
  });

  test("a kubelet that says nothing changes nothing for runners that live", () => {
    const o = seen({
      nodes: nodes(node("node-1", { ready: false }), node("node-2", { ready: false })),
    });
    const silent = {
      ...o,
      pods: [
        runner(1, { role: "primary", ready: false, report: report({}) }),
        runner(2, {
          role: "backup",
          ready: false,
          report: report({ role: "backup", live: false }),
        }),
        ...o.pods.filter((pod) => pod.component === "gateway"),
      ],
    };
    expect(actionsOf(silent)).toEqual([]);
    expect(conditionOf(silent, "Ready")).toBe("True GuestRuns");
    expect(conditionOf(silent, "FaultTolerant")).toBe("True PairComplete");
  });
});

describe("a half is lost", () => {
  test("a runner that the record still names keeps its object, and its successor is made at once", () => {
    const pods = [runner(1, { role: "primary", ...killed }), runner(2, { role: "backup" })];
    const o = settled(seen({ pods: [...pods, ...seen().pods.slice(2)] }));
    expect(actionsOf(o)).toEqual(["create web-runner-4"]);
  });

  test("after the take-over it goes, once its end is in the status", () => {
    const pods = [runner(1, { role: "primary", ...killed }), runner(2, { role: "backup" })];
    const after = { record: present(record(3, 2, undefined, 1)), pods: [...pods, newRunner(4)] };
    const o = seen(after);
    expect(actionsOf(o)).not.toContain("release web-runner-1");
    expect(actionsOf(settled(o))).toEqual(
      expect.arrayContaining(["force-delete web-runner-1", "release web-runner-1"]),
    );
  });

  test("a lost one of whose node nobody knows anything yet is replaced at once, elsewhere", () => {
    const pods = [runner(1, { role: "primary" }), runner(2, { role: "backup" })];
    const o = seen({ record: present(record(3, 2, undefined, 1)), pods });
    const { actions } = plan(o);
    expect(actions.map(inShort)).toEqual(
      expect.arrayContaining([
        "delete web-runner-1",
        "release web-runner-1",
        "create web-runner-5",
      ]),
    );
    const made = actions.find((a) => a.kind === "createPod" && /runner/.test(a.pod.metadata.name));
    expect(JSON.stringify(made)).toMatch(/node-1/);
  });

  test("of one on a node that is not ready the object does not wait for a kubelet", () => {
    const pods = [runner(1, { role: "primary", deleting: true }), runner(2, { role: "backup" })];
    const where = nodes(node("node-1", { ready: false }));
    const o = seen({ record: present(record(3, 2, undefined, 1)), pods, nodes: where });
    expect(actionsOf(o)).toEqual(
      expect.arrayContaining(["force-delete web-runner-1", "release web-runner-1"]),
    );
  });

  test("the failover is told with its reason and gap, once", () => {
    const mine = report({
      lastGoLive: { reason: "no heartbeat for 512 ms", afterMs: 41.4, agoMs: 2_000 },
      takeovers: 1,
    });
    const pods = [runner(2, { role: "primary", report: mine })];
    const o = seen({ record: present(record(3, 2, undefined, 1)), pods }, { failovers: 0 });
    const { status, events } = plan(o);
    expect(status.lastFailover).toEqual({
      time: timestampOf(nowMs - 2_000),
      reason: "no heartbeat for 512 ms",
      gapMilliseconds: 41,
    });
    expect(events.map((event) => event.reason)).toContain("TookOver");
    const later = plan({ ...settled(o), nowMs: nowMs + 1_400 });
    expect(later.status.lastFailover).toEqual(status.lastFailover);
    expect(later.events.map((event) => event.reason)).not.toContain("TookOver");
  });

  test("a pod that is being deleted hands over; its successor is made already", () => {
    const pods = [runner(1, { role: "primary", deleting: true }), runner(2, { role: "backup" })];
    expect(actionsOf(seen({ pods: [...pods, ...seen().pods.slice(2)] }))).toEqual([
      "create web-runner-4",
    ]);
  });

  test("a candidate on a node that is lost is no candidate, and its object waits for the proof", () => {
    const pods = [runner(1, { role: "primary" }), runner(5, { node: "node-4" })];
    const o = seen({
      record: present(record(3, 1)),
      pods: [...pods, ...seen().pods.slice(2)],
      nodes: nodes(node("node-4", { ready: false })),
    });
    expect(actionsOf(o)).toEqual(["create web-runner-6"]);
  });

  test("a candidate that its node does not start is replaced after a while, on another node", () => {
    const stuck = newRunner(5, {
      ...{ node: "node-4", createdMs: nowMs - 181_000 },
      waiting: { reason: "ImagePullBackOff", message: "why" },
    });
    const pods = [runner(1, { role: "primary" }), ...seen().pods.slice(2)];
    const o = (candidate: typeof stuck) =>
      seen({ record: present(record(3, 1)), pods: [...pods, candidate] });
    expect(actionsOf(o(stuck))).toContain("delete web-runner-5");
    expect(actionsOf(o({ ...stuck, createdMs: nowMs - 179_000 }))).toEqual([]);
    const after = plan(o({ ...stuck, deleting: true })).actions;
    expect(JSON.stringify(after.find((a) => a.kind === "createPod"))).toMatch(/node-4/);
  });

  test("a candidate that came to nothing is replaced, unless the state is on its way to it", () => {
    const old = { startedMs: nowMs - 121_000 };
    const alone = { record: present(record(3, 1)) };
    const joining = report({ role: "joining", live: false });
    const with5 = (over: object) => {
      const pods = [
        runner(1, { role: "primary" }),
        runner(5, { node: "node-4", bootId: "boot-4", ...over }),
      ];
      return actionsOf(seen({ ...alone, pods: [...pods, ...seen().pods.slice(2)] }));
    };
    expect(with5(old)).toEqual(expect.arrayContaining(["delete web-runner-5"]));
    expect(with5({ ...old, report: joining }).filter((a) => /runner/.test(a))).toEqual([]);
  });
});

describe("tries that fail", () => {
  const alone = { record: present(record(3, 1)), pods: [runner(1, { role: "primary" })] };

  test("the first two are followed at once, later ones wait longer and longer", () => {
    const crashed = (count: number) =>
      Array.from({ length: count }, (_, i) => lostAt(`web-runner-${10 + i}`, "Crashed"));
    const made = (count: number) =>
      actionsOf(seen(alone, { recentEnds: crashed(count) })).filter((a) =>
        /create web-runner/.test(a),
      );
    expect([0, 1, 2, 3].map((count) => made(count).length)).toEqual([1, 1, 1, 0]);
    const waiting = plan(seen(alone, { recentEnds: crashed(5) }));
    expect(waiting.againInMs).toBeGreaterThan(20_000);
    expect(conditionOf(seen(alone, { recentEnds: crashed(5) }), "FaultTolerant")).toBe(
      "False RunnerCrashes",
    );
  });

  test("a machine that is lost again and again is booted anew with pauses", () => {
    const ends = [1, 2, 3, 4].map((life) => ({
      ...lostAt(`web-runner-${10 + life}`, "Crashed"),
      life,
    }));
    const begins = { record: present(record(9)), pods: [], nodes: nodes() };
    const o = seen(begins, { running: running(5, 9), restarts: 4, recentEnds: ends });
    expect(actionsOf(o).filter((a) => /create web-runner/.test(a))).toEqual([]);
    expect(plan(o).againInMs).toBeGreaterThan(10_000);
  });

  test.each([
    ["OOMKilled", "OOMKilled"],
    [
      '{"level":30,"msg":"x"}\n{"level":30,"message":"cpu differs","msg":"runner ends"}\n',
      "cpu differs",
    ],
    ['{"level":50,"msg":"runner failed"}', "runner failed"],
    ["{}\nplain words", "plain words"],
  ])("of what a runner said last, %j, people are told %s", (message, told) => {
    const ended = { ...killed, terminated: { exitCode: 11, message } };
    const pods = [runner(1, { role: "primary" }), runner(4, ended)];
    const ends = plan(seen({ record: present(record(3, 1)), pods })).status.recentEnds;
    expect(ends).toEqual([expect.objectContaining({ reason: "Refused", message: told })]);
  });

  test("a pod that its kubelet turns away is cleared away, told with the kubelet's words, and counts", () => {
    const turnedAway = runner(4, {
      ...{ phase: "Failed", startedMs: null, ready: false, bootId: null },
      waiting: { reason: "OutOfcpu", message: "Node didn't have enough resource: cpu" },
    });
    const pods = [runner(1, { role: "primary" }), turnedAway];
    const o = settled(seen({ record: present(record(3, 1)), pods }));
    expect(o.vm.status?.recentEnds).toEqual([
      expect.objectContaining({
        reason: "TurnedAway",
        message: expect.stringMatching(/^OutOfcpu Node/),
      }),
    ]);
    expect(actionsOf(o)).toEqual(expect.arrayContaining(["release web-runner-4"]));
    expect(conditionOf(o, "FaultTolerant")).toBe("False RunnerCrashes");
    const silent = { ...o, nodes: nodes(node("node-4", { ready: false })) };
    expect(actionsOf(silent)).not.toContain("release web-runner-4");
  });

  test("after three divergences in ten minutes there is no further try", () => {
    const ends = [1, 2, 3].map((i) => lostAt(`web-runner-${10 + i}`, "Diverged"));
    const o = seen(alone, { recentEnds: ends });
    expect(actionsOf(o).filter((a) => /runner/.test(a))).toEqual([]);
    expect(plan(o).status.phase).toBe("Diverged");
    expect(conditionOf(o, "Diverged")).toBe("True DivergedRepeatedly");
    const later = { ...o, nowMs: nowMs + 3_600_000 };
    expect(actionsOf(later).filter((a) => /create web-runner/.test(a))).toEqual([]);
    const edited = { ...o, vm: { ...o.vm, metadata: { ...o.vm.metadata, generation: 2 } } };
    expect(actionsOf(edited)).toEqual(expect.arrayContaining(["create web-runner-5"]));
  });

  test.each([
    ["Unschedulable", "NoSecondNode"],
    ["ImagePullBackOff", "ImageUnavailable"],
    ["ContainerCreating", "BackupStarting"],
  ])("a runner that waits for %s is told as %s", (reason, told) => {
    const stuck = newRunner(4, { waiting: { reason, message: "why" } });
    const o = seen({ ...alone, pods: [...alone.pods, stuck] });
    expect(conditionOf(o, "FaultTolerant")).toBe(`False ${told}`);
  });

  test("a version that differs is told with the runner's words", () => {
    const o = seen(alone, { recentEnds: [lostAt("web-runner-4", "Refused")] });
    expect(conditionOf(o, "FaultTolerant")).toBe("False VersionMismatch");
    const found = plan(o).status.conditions?.find((c) => c.type === "FaultTolerant");
    expect(found?.message).toMatch(/its last words/);
  });

  test("a pod that the API server refuses is tried again after a while", () => {
    const refusals = [{ what: "Pod", message: "exceeded quota", atMs: nowMs - 1_000 }];
    const o = seen({ ...alone, refusals });
    expect(actionsOf(o).filter((a) => /create web-runner/.test(a))).toEqual([]);
    expect(conditionOf(o, "FaultTolerant")).toBe("False PodRefused");
    const later = { ...o, nowMs: nowMs + 10_000 };
    expect(actionsOf(later)).toEqual(expect.arrayContaining(["create web-runner-5"]));
  });
});

describe("changes of the spec", () => {
  test("what takes effect at the next start is said, by name", () => {
    const o = seen({ vm: machine({ memory: "256Mi" }) });
    expect(conditionOf(o, "RestartRequired")).toBe("True SpecChanged");
    expect(actionsOf(settled(o))).toEqual([]);
    const newer = seen({ settings: { ...seen().settings, image: "localhost/lockstep:2" } });
    expect(conditionOf(newer, "RestartRequired")).toBe("True NewVersion");
  });

  test("a new half of a running pair gets what the first was started with", () => {
    const vm = machine({ memory: "256Mi" });
    const image = { ...seen().settings, image: "localhost/lockstep:2" };
    const o = seen({
      vm,
      settings: image,
      record: present(record(3, 1)),
      pods: [runner(1, { role: "primary" })],
    });
    const made = plan(o).actions.find(
      (a) => a.kind === "createPod" && /runner/.test(a.pod.metadata.name),
    );
    expect(JSON.stringify(made)).toMatch(/lockstep:1.*"--memory","128"/);
  });

  test("fault tolerance switched off: the backup goes, but only beside a primary that works", () => {
    const off = machine({ faultTolerance: { ...defaultSpec.faultTolerance, enabled: false } });
    const sure = runner(1, { role: "primary", report: report({}) });
    const others = [runner(2, { role: "backup" }), ...seen().pods.slice(2)];
    expect(actionsOf(seen({ vm: off, pods: [sure, ...others] }))).toEqual(["delete web-runner-2"]);
    // One that was heard of in an earlier epoch may have died since.
    const old = runner(1, { role: "primary", report: report({ epoch: 1 }) });
    expect(actionsOf(seen({ vm: off, pods: [old, ...others] }))).toEqual([]);
    const pods = [runner(1, { role: "primary", ready: false }), runner(2, { role: "backup" })];
    const doubtful = seen({ vm: off, pods: [...pods, ...seen().pods.slice(2)] });
    expect(actionsOf(doubtful).filter((a) => /runner/.test(a))).toEqual([]);
    expect(conditionOf(seen({ vm: off, record: present(record(3, 1)) }), "FaultTolerant")).toBe(
      "False Disabled",
    );
  });

  test("other ports replace the gateway: the old one goes first", () => {
    const network = { ...defaultSpec.network, ports: [] };
    const vm = machine({ network });
    const o = seen({ vm, pods: seen().pods });
    expect(actionsOf(o)).toEqual(expect.arrayContaining(["delete web-gateway-3"]));
    expect(actionsOf(o).filter((a) => /create web-gateway/.test(a))).toEqual([]);
    const after = seen({ vm, pods: seen().pods.slice(0, 2) });
    expect(actionsOf(after)).toEqual(["create web-gateway-4"]);
  });
});

describe("the gateway", () => {
  test("one on a node that is lost is replaced at once, and its object does not stay", () => {
    const o = seen({ nodes: nodes(node("node-3", { ready: false })) });
    expect(actionsOf(o)).toEqual(["force-delete web-gateway-3", "create web-gateway-4"]);
  });

  test("with two nodes it waits, within a bound, to sit beside the backup", () => {
    const two = new Map([node("node-1"), node("node-2")]);
    const fresh = [newRunner(1), newRunner(2)];
    const start = { record: present(record(0)), nodes: two, pods: fresh };
    expect(actionsOf(seen(start))).toEqual([]);
    expect(plan(seen(start)).againInMs).not.toBeNull();
    const paired = seen({ nodes: two, pods: seen().pods.slice(0, 2) });
    expect(actionsOf(paired)).toEqual(["create web-gateway-4"]);
    expect(actionsOf({ ...seen(start), nowMs: nowMs + 15_000 })).toEqual(["create web-gateway-4"]);
  });

  test("a machine without a network has none", () => {
    const network = { ...defaultSpec.network, enabled: false, ports: [] };
    const vm = machine({ network });
    const o = seen({ vm, pods: seen().pods.slice(0, 2) });
    expect(actionsOf(o)).toEqual([]);
    expect(conditionOf(o, "NetworkReady")).toBe("False NetworkDisabled");
    expect(conditionOf(o, "Ready")).toBe("True GuestRuns");
  });

  test.each([
    ["the guest does not accept connections", true, "GuestNotReady"],
    ["the primary is not connected to it", false, "GatewayNotReady"],
    ["nobody knows why", null, "GatewayNotReady"],
  ])("a gateway that is not ready is told apart: %s", (_, attached, reason) => {
    const network = { ...defaultSpec.network, readiness: { tcpPort: 7000 } };
    const vm = machine({ network });
    const applied = gatewayTemplateHash(vm, running());
    const pods = [...seen().pods.slice(0, 2), gateway(3, { applied, ready: false, attached })];
    expect(conditionOf(seen({ vm, pods }), "Ready")).toBe(`False ${reason}`);
  });
});

test("a nonce that looks like another machine's is no pod of this one", () => {
  const foreign = { ...record(2), primary: "other-runner-1_0123456789abcdef" };
  const o = seen({ record: present(foreign) });
  expect(plan(o).status.primary).toEqual({ pod: "other-runner-1" });
  expect(nonce(1)).toMatch(/^web-runner-1_/);
});
