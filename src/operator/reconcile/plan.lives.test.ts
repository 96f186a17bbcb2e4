import { describe, expect, test } from "@jest/globals";
import {
  actionsOf,
  conditionOf,
  defaultSpec,
  inShort,
  killed,
  lostAt,
  machine,
  newRunner,
  node,
  nodes,
  nowMs,
  present,
  record,
  runner,
  running,
  seen,
  settled,
} from "../../../test/operator/observations.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { plan } from "./plan.ts";
import { timestampOf } from "./timestamp.ts";

describe("the first start", () => {
  const fresh = seen({ record: { kind: "absent" }, pods: [], objects: new Map() });
  const { status: _, ...vm } = machine({}, { finalizers: [] });

  test("finalizer, objects, key and record are made in one pass, and no pod before them", () => {
    const actions = actionsOf({ ...fresh, vm });
    expect(actions).toEqual(expect.arrayContaining(["addFinalizer", "createKey", "createRecord"]));
    expect(actions).toContain("apply Service web-gateway");
    expect(actions.filter((action) => action.startsWith("create web"))).toEqual([]);
  });

  test("that the record was made, and what a life starts with, is in the status before a pod is made", () => {
    const bare = { ...seen({ record: present(record(0)), pods: [] }), vm: machine() };
    expect(actionsOf(bare)).toEqual([]);
    const noted = settled(bare);
    expect(noted.vm.status?.record).toBeDefined();
    expect(noted.vm.status?.running).toBeUndefined();
    expect(actionsOf(noted)).toEqual([]);
    const begun = settled(noted);
    expect(begun.vm.status?.running).toEqual(running(1, 0));
    expect(actionsOf(begun)).toEqual([
      "create web-gateway-1",
      "create web-runner-2",
      "create web-runner-3",
    ]);
  });

  test("a record that is gone although it was made is never made again", () => {
    const o = seen({ record: { kind: "absent" } });
    expect(actionsOf(o)).toEqual([]);
    expect(conditionOf(o, "Ready")).toBe("False RecordLost");
    expect(conditionOf(o, "FaultTolerant")).toBe("Unknown RecordLost");
    const nothingLeft = { ...o, pods: [] };
    expect(conditionOf(nothingLeft, "FaultTolerant")).toBe("False NotRunning");
  });

  test.each([
    ["went back", record(1, 1, 2)],
    ["names nobody", record(2)],
    ["names others", record(2, 1, 7)],
  ])("a record that %s was changed by hand: everything is left as it is", (_, of) => {
    const before = settled(seen());
    const o = { ...before, record: present(of) };
    expect(actionsOf(o)).toEqual([]);
    expect(conditionOf(o, "Ready")).toBe("False RecordLost");
    const mended = { ...settled(o), record: before.record };
    expect(plan(mended).status.phase).toBe("Running");
  });

  test("a key that was lost is not made anew under halves that hold the old one", () => {
    const before = settled(seen());
    const objects = new Map([...before.objects].filter(([name]) => !name.startsWith("Secret/")));
    const lone = {
      ...before,
      objects,
      record: present(record(3, 1)),
      pods: seen().pods.slice(0, 1),
    };
    expect(actionsOf(lone)).toEqual([]);
    expect(conditionOf(lone, "FaultTolerant")).toBe("False KeyLost");
    const off = { ...lone, record: present(record(4)), pods: [] };
    expect(actionsOf(off)).toEqual(["createKey"]);
  });

  test("a machine whose key was lost is switched off by telling its halves to leave, the backup first", () => {
    const before = settled(seen({ vm: machine({ powerState: "Stopped" }) }));
    const objects = new Map([...before.objects].filter(([name]) => !name.startsWith("Secret/")));
    const both = { ...before, objects };
    expect(actionsOf(both)).toEqual(["delete web-runner-2"]);
    const alone = { ...both, record: present(record(3, 1)), pods: both.pods.slice(0, 1) };
    expect(actionsOf(alone)).toEqual(["delete web-runner-1"]);
  });

  test("a Lease of somebody else is told as such, and looked at again though nobody watches it", () => {
    const vm = machine({}, {});
    const message = "Lease a/web is the record of another VM, other";
    const o = { ...seen({ pods: [], record: { kind: "unusable", message } }), vm } as const;
    expect(conditionOf(o, "Ready")).toBe("False NameTaken");
    expect(plan(o).againInMs).toBe(30_000);
  });

  test("a Service for runners that was deleted gets the address back that they were given", () => {
    const before = settled(seen());
    const objects = new Map([...before.objects].filter(([name]) => name !== "Service/web-gateway"));
    const [made] = plan({ ...before, objects }).actions;
    expect(made).toMatchObject({ kind: "apply", object: { spec: { clusterIP: "10.96.0.7" } } });
  });

  test("an object of somebody else is left alone, and the user is told its name", () => {
    const objects = new Map(seen().objects);
    const service = objects.get("Service/web");
    if (service === undefined) throw new Error("no Service");
    objects.set("Service/web", { ...service, ours: false });
    const o = seen({ objects, pods: [] });
    expect(actionsOf(o)).toEqual([]);
    expect(plan(o).status.conditions?.[0]?.message).toMatch(/Service web exists already/);
  });

  test("what was never started begins with the spec as it is now", () => {
    const vm = machine({ memory: "256Mi" });
    const o = seen({ vm, record: present(record(0)), pods: [newRunner(1), newRunner(2)] });
    // Either of them could still begin the machine as it was to be before.
    expect(plan(o).status.running).toMatchObject({ memory: "128Mi", life: 1 });
    expect(actionsOf(o)).toEqual(
      expect.arrayContaining(["delete web-runner-1", "delete web-runner-2"]),
    );
    const gone = { ...o, pods: [] };
    expect(plan(gone).status.running).toMatchObject({ memory: "256Mi", life: 2, fromEpoch: 0 });
  });
});

describe("both halves are lost", () => {
  const bothDead = [
    runner(1, { role: "primary", ...killed }),
    runner(2, { role: "backup", ...killed }),
  ];
  const pods = [...bothDead, ...seen().pods.slice(2)];

  test("a new life begins at the record's epoch, after the gateway of the old one is gone", () => {
    const o = seen({ pods });
    const begun = settled(o);
    expect(begun.vm.status).toMatchObject({ running: { life: 2, fromEpoch: 2 }, restarts: 1 });
    expect(actionsOf(begun)).toEqual(["delete web-gateway-3"]);
    const without = { ...begun, pods: bothDead };
    const { actions } = plan(without);
    expect(actions.map(inShort)).toEqual([
      "create web-gateway-4",
      "create web-runner-5",
      "create web-runner-6",
    ]);
    expect(JSON.stringify(actions[1])).toMatch(/"--restart-epoch","2"/);
  });

  test("with onPairLost Hold it stays down until it was Stopped and is Running again", () => {
    const faultTolerance = { ...defaultSpec.faultTolerance, onPairLost: "Hold" as const };
    const o = seen({ pods, vm: machine({ faultTolerance }) });
    expect(plan(o).status).toMatchObject({ phase: "Lost", running: { life: 1 } });
    expect(actionsOf(settled(o)).filter((a) => /create/.test(a))).toEqual([]);
    const stopped = settled({
      ...o,
      vm: { ...o.vm, spec: { ...o.vm.spec, powerState: "Stopped" } },
    });
    expect(stopped.vm.status?.running).toBeUndefined();
    const again = { ...stopped, vm: { ...stopped.vm, spec: o.vm.spec } };
    expect(plan(again).status.running).toMatchObject({ life: 2, fromEpoch: 2 });
  });

  test("a machine that was left alone stays lost with Hold, also when its pods have gone", () => {
    const faultTolerance = { ...defaultSpec.faultTolerance, onPairLost: "Hold" as const };
    const alone = { terminated: { exitCode: 15, message: "" }, phase: "Failed" } as const;
    const o = seen({
      pods: [runner(1, { role: "primary", deleting: true, ...alone })],
      vm: machine({ faultTolerance }),
      record: present(record(3)),
    });
    const lost = settled(o);
    expect(lost.vm.status?.phase).toBe("Lost");
    expect(plan({ ...lost, pods: [] }).status.phase).toBe("Lost");
  });

  test("a guest that switched itself off stays off, whatever becomes of its pods", () => {
    const backup = runner(2, { role: "backup", deleting: true });
    const off = (primary: Partial<ObservedPod>) =>
      plan(
        seen({
          pods: [runner(1, { role: "primary", ...primary }), backup],
          record: present(record(4)),
        }),
      );
    expect(off({}).status).toMatchObject({ phase: "Stopping", running: { life: 1 } });
    const ended = { terminated: { exitCode: 0, message: "" } } as const;
    const both = [
      runner(1, { role: "primary", ...ended }),
      runner(2, { role: "backup", deleting: true, ...ended }),
    ];
    const done = settled(seen({ pods: both, record: present(record(4)) }));
    expect(done.vm.status).toMatchObject({ phase: "Stopped", running: { life: 1 } });
    expect(plan({ ...done, pods: [] }).status).toMatchObject({
      phase: "Stopped",
      running: { life: 1 },
    });
  });

  test.each([
    [
      "the kubelet says that one has ended, of the other nothing is known",
      [bothDead[0]],
      [runner(2, { role: "backup" })],
    ],
    ["the object of one was removed by force", [bothDead[0]], []],
  ])("nothing begins anew while %s", (_, one, other) => {
    const o = seen({
      pods: [...one, ...other].filter((pod) => pod !== undefined),
      nodes: nodes(node("node-2", { ready: false })),
    });
    expect(plan(settled(o)).status.running).toMatchObject({ life: 1 });
    expect(JSON.stringify(plan(settled(o)).actions)).not.toMatch(/restart-epoch/);
  });

  test.each([
    ["its node has booted anew", node("node-2", { bootId: "another" })],
    ["its node is out of service", node("node-2", { ready: false, outOfService: true })],
  ])("%s: that is proof", (_, where) => {
    const both = [runner(1, { role: "primary", ...killed }), runner(2, { role: "backup" })];
    const o = seen({ pods: both, nodes: nodes(where) });
    expect(plan(o).status.running).toMatchObject({ life: 2 });
  });

  test("the user may vouch for it, for one epoch", () => {
    const word = (epoch: string) =>
      plan(
        seen({ pods: [], vm: machine({}, { annotations: { "lockstep.dev/proven-gone": epoch } }) }),
      ).status.running?.life;
    expect([word("2"), word("1")]).toEqual([2, 1]);
  });

  test("unreachable halves are told as such, and nothing is begun", () => {
    const where = nodes(node("node-1", { ready: false }), node("node-2", { ready: false }));
    const silent = seen().pods.map((pod) => ({ ...pod, ready: false }));
    const o = seen({ pods: silent, nodes: where });
    expect(plan(o).status.phase).toBe("Unreachable");
    expect(conditionOf(o, "Ready")).toBe("False PairUnreachable");
    expect(actionsOf(o).filter((a) => /runner/.test(a))).toEqual([]);
  });

  test("halves that began a moment ago are given time, after which the machine is looked at again", () => {
    const where = nodes(node("node-1", { ready: false }), node("node-2", { ready: false }));
    const fresh = { ready: false, startedMs: nowMs - 10_000 };
    const o = seen({ pods: seen().pods.map((pod) => ({ ...pod, ...fresh })), nodes: where });
    expect(plan(o).status.phase).toBe("Starting");
    expect(plan(o).againInMs).toBeLessThanOrEqual(30_000);
  });

  test("a guest that traps at the same step in both halves is not booted again and again", () => {
    const ends = [lostAt("web-runner-1", "Trapped"), lostAt("web-runner-2", "Trapped")];
    const o = seen({ pods: bothDead }, { recentEnds: ends });
    expect(plan(o).status.phase).toBe("Failed");
    expect(conditionOf(o, "Ready")).toBe("False Trapped");
    const [first] = ends;
    const twice = first === undefined ? [] : [first, { ...first, pod: "web-runner-4", life: 2 }];
    const alone = seen(
      { record: present(record(5, 4)), pods: [runner(4, { life: 2, ...killed })] },
      {
        running: running(2, 3),
        recentEnds: twice,
      },
    );
    expect(plan(alone).status.phase).toBe("Failed");
    const metadata = { ...o.vm.metadata, generation: 2 };
    const changed = { ...o, vm: { ...o.vm, metadata, spec: { ...o.vm.spec, memory: "64Mi" } } };
    expect(plan(changed).status.running).toMatchObject({ life: 2, memory: "64Mi" });
  });
});

describe("power", () => {
  test("Stopped is an order to the primary, repeated until the record says so", () => {
    const o = seen({ vm: machine({ powerState: "Stopped" }) });
    expect(actionsOf(o)).toEqual(["power off web-runner-1"]);
    expect(plan(o).againInMs).toBeLessThanOrEqual(3_000);
    expect(plan(o).status.phase).toBe("Stopping");
  });

  test("a machine that is off has no pods, and starts again at the record's epoch", () => {
    const ended = {
      terminated: { exitCode: 0, message: "" },
      phase: "Succeeded",
      ready: false,
    } as const;
    const pods = [
      runner(1, { role: "primary", ...ended }),
      runner(2, { role: "backup", ...ended }),
      ...seen().pods.slice(2),
    ];
    const vm = machine({ powerState: "Stopped" });
    const off = settled(seen({ vm, record: present(record(3)), pods }));
    expect(off.vm.status).toMatchObject({ phase: "Stopped" });
    expect(actionsOf(off)).toEqual(
      expect.arrayContaining([
        "release web-runner-1",
        "release web-runner-2",
        "delete web-gateway-3",
      ]),
    );
    const on = plan({ ...off, pods: [], vm: { ...off.vm, spec: defaultSpec } });
    expect(on.status.running).toMatchObject({ life: 2, fromEpoch: 3 });
  });

  test("one that was Stopped is started again, although it went off only after it was to run again", () => {
    const stopping = settled(seen({ vm: machine({ powerState: "Stopped" }) }));
    expect(stopping.vm.status?.running).toMatchObject({ life: 1, ordered: "off" });
    const on = { ...stopping, vm: { ...stopping.vm, spec: defaultSpec } };
    expect(actionsOf(on)).toEqual([]);
    const off = { ...settled(on), record: present(record(3)), pods: [] };
    expect(plan(off).status.running).toEqual({ ...running(2, 3) });
  });

  test("one whose last half was told to leave is booted anew, though it belonged to an earlier life", () => {
    const ends = [{ ...lostAt("web-runner-2", "LeftAlone"), epoch: 3 }];
    const o = seen({ record: present(record(3)), pods: [] }, { running: running(2, 1) });
    const withEnds = { ...o, vm: { ...o.vm, status: { ...o.vm.status, recentEnds: ends } } };
    expect(plan(withEnds).status.running).toMatchObject({ life: 3, fromEpoch: 3 });
    const later = { ...withEnds, record: present(record(5)) };
    expect(conditionOf(later, "Ready")).toBe("False GuestPoweredOff");
  });

  test("a guest that switched itself off stays off", () => {
    const o = seen({ record: present(record(3)), pods: [] });
    expect(plan(o).status.phase).toBe("Stopped");
    expect(conditionOf(o, "Ready")).toBe("False GuestPoweredOff");
    expect(actionsOf(settled(o))).toEqual([]);
  });

  test("a guest that its primary switched off, told to leave and left alone, is booted anew", () => {
    const ending = runner(1, { role: "primary", deleting: true });
    const o = (pod: ObservedPod) => seen({ record: present(record(3)), pods: [pod] });
    // Why it is off is known when the runner has ended.
    expect(plan(o(ending)).status).toMatchObject({ phase: "Stopping", running: { life: 1 } });
    const ended = (exitCode: number) =>
      plan(o({ ...ending, terminated: { exitCode, message: "" } }));
    expect(ended(15).status.running).toMatchObject({ life: 2, fromEpoch: 3 });
    expect(ended(0).status.phase).toBe("Stopped");
  });
});

describe("deletion", () => {
  const deleted = (ago: number) => machine({}, { deletionTimestamp: timestampOf(nowMs - ago) });

  test("the machine is switched off first", () => {
    expect(actionsOf(seen({ vm: deleted(1_000) }))).toEqual(["power off web-runner-1"]);
    expect(plan(seen({ vm: deleted(1_000) })).status.phase).toBe("Terminating");
  });

  test("what does not end in time, or cannot be reached, is ended anyway", () => {
    const late = actionsOf(seen({ vm: deleted(21_000) }));
    expect(late).toEqual(expect.arrayContaining(["delete web-runner-1", "release web-runner-1"]));
    const where = nodes(node("node-1", { ready: false }));
    expect(actionsOf(seen({ vm: deleted(0), nodes: where }))).toEqual(
      expect.arrayContaining(["force-delete web-runner-1", "delete web-runner-2"]),
    );
  });

  test("it goes when no process of it can be met any more", () => {
    const where = nodes(node("node-1", { ready: false }));
    const held = runner(1, { role: "primary", deleting: true });
    const o = (pods: Observation["pods"]) =>
      actionsOf(seen({ vm: deleted(21_000), pods, nodes: where, record: present(record(3)) }));
    expect(o([])).toEqual(["removeFinalizer"]);
    expect(o([held])).toContain("removeFinalizer");
    expect(o([runner(2, { deleting: true })])).not.toContain("removeFinalizer");
  });

  test("one that never had a record goes at once", () => {
    const o = seen({ vm: deleted(0), record: { kind: "absent" }, pods: [], objects: new Map() });
    expect(actionsOf(o)).toEqual(["removeFinalizer"]);
  });
});
