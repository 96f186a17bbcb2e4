import { describe, expect, test } from "@jest/globals";
import {
  actionsOf,
  gateway,
  machine,
  newRunner,
  node,
  nodes,
  nowMs,
  present,
  record,
  report,
  runner,
  running,
  seen,
} from "../../../test/operator/observations.ts";
import { gatewayTemplateHash } from "../specs/gateway-pod.ts";
import type { KubernetesObject } from "./actions.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { plan } from "./plan.ts";

const applied = gatewayTemplateHash(machine(), running());
const network = (attached: boolean) => ({ ...report({}).network, attached });

/** A pair whose primary says that no gateway lets it in, and what is known of the gateway. */
function detached(
  detachedMs: number,
  over: Partial<ObservedPod>,
  primary: Partial<ObservedPod> = {},
): Observation {
  const said = report({ network: network(false) });
  const pods = [
    runner(1, { role: "primary", report: said, detachedMs, ...primary }),
    runner(2, { role: "backup" }),
    gateway(3, { applied, ...over }),
  ];
  return seen({ pods });
}

function gatewayActions(o: Observation): string[] {
  return actionsOf(o).filter((action) => action.includes("gateway") || action.includes("redial"));
}

/** The pod that the plan makes, as text. */
function madePod(o: Observation): string {
  const made = plan(o).actions.flatMap((action): KubernetesObject[] =>
    action.kind === "createPod" ? [action.pod] : [],
  );
  return JSON.stringify(made);
}

describe("a gateway that the primary misses", () => {
  const old = nowMs - 600_000;
  const silent = { attached: null, createdMs: old, startedMs: old } as const;
  const answers = { attached: false, createdMs: old, startedMs: old } as const;
  const replaced = ["force-delete web-gateway-3", "create web-gateway-4"];

  test.each<[string, number, Partial<ObservedPod>, string[]]>([
    ["is not asked yet", 60_000, { createdMs: old, startedMs: old }, []],
    ["is silent for the operator too, but not for long", 499, silent, []],
    ["is silent for the operator too", 500, silent, replaced],
    ["answers the operator", 9_999, answers, []],
    [
      "answers the operator, and that does not pass",
      10_000,
      answers,
      ["delete web-gateway-3", "create web-gateway-4"],
    ],
    ["has just started", 60_000, { ...silent, startedMs: nowMs - 4_999 }, []],
    ["has not started", 60_000, { ...silent, startedMs: null }, []],
    ["was made a moment ago", 60_000, { ...silent, createdMs: nowMs - 14_999 }, []],
    ["was made a while ago", 60_000, { ...silent, createdMs: nowMs - 15_000 }, replaced],
    ["answers, and was made a moment ago", 60_000, { ...answers, createdMs: nowMs - 59_999 }, []],
  ])("and that %s", (_, detachedMs, over, actions) => {
    const o = detached(detachedMs, over);
    expect(gatewayActions(o)).toEqual(actions);
    const waits = actions.length === 0 && over.startedMs !== null;
    if (waits) expect(plan(o).againInMs).toBeLessThanOrEqual(60_000);
  });

  test("is replaced on another node, though Kubernetes calls its node ready", () => {
    expect(madePod(detached(3_000, silent))).toContain('"node-3"');
    expect(madePod(detached(3_000, { ...silent, node: "node-4" }))).not.toContain('"node-3"');
  });

  test("stays while it is unknown whether the primary works", () => {
    expect(gatewayActions(detached(60_000, silent, { report: null, ready: false }))).toEqual([]);
    const starting = { report: report({ live: false, network: network(false) }) };
    expect(gatewayActions(detached(60_000, silent, starting))).toEqual([]);
  });

  test("does not keep the next one waiting while it ends in its own time", () => {
    const pods = [
      ...detached(9_000, answers).pods.slice(0, 2),
      gateway(3, { applied, ...answers, deleting: true }),
      gateway(4, { applied, createdMs: nowMs, startedMs: null, phase: "Pending" }),
    ];
    expect(gatewayActions(seen({ pods }))).toEqual([]);
  });
});

describe("a primary that is attached elsewhere", () => {
  const attachedElsewhere = { report: report({ network: network(true) }) };
  const pair = (over: Partial<ObservedPod>, primary: Partial<ObservedPod> = attachedElsewhere) =>
    seen({
      pods: [
        runner(1, { role: "primary", ...primary }),
        runner(2, { role: "backup" }),
        gateway(3, { applied, ready: false, ...over }),
      ],
    });

  test.each<[string, Observation, string[]]>([
    [
      "is told to dial again",
      pair({ attached: false, startedMs: nowMs - 2_000 }),
      ["redial web-runner-1"],
    ],
    [
      "has a moment to find the gateway itself",
      pair({ attached: false, startedMs: nowMs - 1_999 }),
      [],
    ],
    ["is left alone by a gateway that has it", pair({ attached: true }), []],
    ["is left alone by a gateway that does not answer", pair({ attached: null }), []],
    ["is left alone by a gateway that was not asked", pair({}), []],
    [
      "dials already if it says so",
      pair({ attached: false }, { report: report({ network: network(false) }) }),
      [],
    ],
    ["is not asked for what it does if it is silent", pair({ attached: false }, {}), []],
  ])("%s", (_, o, actions) => {
    expect(gatewayActions(o)).toEqual(actions);
  });

  test("is told again and again until it is attached", () => {
    const o = pair({ attached: false });
    expect(plan(o).againInMs).toBeLessThanOrEqual(3_000);
    const soon = pair({ attached: false, startedMs: nowMs - 1_500 });
    expect(plan(soon).againInMs).toBeLessThanOrEqual(500);
  });
});

describe("with two nodes", () => {
  const two = new Map([node("node-1"), node("node-2")]);
  const alone = runner(1, { role: "primary", report: report({ backup: null }) });
  const life = { record: present(record(3, 1)), nodes: two };

  test("a gateway that was lost with the backup is not kept waiting for the next backup", () => {
    const o = seen({ ...life, pods: [alone, newRunner(4)] });
    expect(gatewayActions(o)).toEqual(["create web-gateway-5"]);
    const lost = gateway(3, { applied, node: "node-2" });
    const off = new Map([node("node-1"), node("node-2", { ready: false }), node("node-4")]);
    expect(
      gatewayActions(seen({ ...life, nodes: off, pods: [alone, newRunner(4), lost] })),
    ).toEqual(["force-delete web-gateway-3", "create web-gateway-5"]);
  });

  test("the first gateway of a life waits for the backup, within a bound", () => {
    const pods = [newRunner(1), newRunner(2, { createdMs: nowMs - 14_999 })];
    const first = { record: present(record(0)), nodes: two, pods };
    expect(gatewayActions(seen(first))).toEqual([]);
    expect(gatewayActions({ ...seen(first), nowMs: nowMs + 1 })).toEqual(["create web-gateway-4"]);
  });
});

test("a new gateway avoids the node of a runner that was lost there a moment ago", () => {
  const lost = runner(2, { role: "backup", deleting: true });
  const pods = [runner(1, { role: "primary" }), lost];
  const o = seen({ record: present(record(3, 1)), pods, nodes: nodes() });
  const made = plan(o).actions.filter((action) => action.kind === "createPod");
  expect(JSON.stringify(made[0])).toContain('"node-2"');
});
