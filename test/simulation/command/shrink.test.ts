import { expect, test } from "@jest/globals";
import { pairTimings } from "../../../src/vm-runner/failover/pair-timings.ts";
import type { CheckerName } from "../checkers/checker.ts";
import type { RunScenario } from "../run-result.ts";
import type { Fault, Scenario } from "../scenario.ts";
import { shrink } from "./shrink.ts";

const crash = (atMs: number): Fault => {
  return { kind: "crash", node: "a", silent: false, restartMs: 10, atMs };
};
const big: Scenario = {
  seed: 1,
  nodes: ["a", "b", "c"],
  spares: ["d"],
  patientDeath: false,
  faultyMs: 4000,
  network: { latencyMs: 9, jitterMs: 3, lossShare: 0.1, duplicateShare: 0.1, reorderShare: 0.1 },
  store: { kind: "file", arbiters: 3, delayMs: 8, lossShare: 0.2 },
  guest: { memoryBytes: 1024, timerUs: 100, burstBytes: 10, timersPerFrames: 0 },
  clocks: { a: { offsetMs: 4, rate: 1.1 }, b: { offsetMs: 0, rate: 1 } },
  clients: 4,
  outside: { clients: 3, thinkMs: 20, lossShare: 0.1 },
  timings: pairTimings,
  leaveWaitMs: 30_000,
  operator: null,
  faults: Array.from({ length: 37 }, (_, i) => crash(100 * i)),
};

/** Fails the checker when `fails` says so, and counts its runs. */
function standIn(fails: (scenario: Scenario) => boolean, checker: CheckerName = "replay") {
  const tried: Scenario[] = [];
  const run: RunScenario = async (scenario) => {
    tried.push(scenario);
    const violation = fails(scenario) ? { checker, message: "as planned" } : null;
    const nothing = {
      steps: 0,
      failovers: 0,
      restarts: 0,
      faults: {},
      coverage: [],
      simulatedMs: 0,
    };
    return { seed: scenario.seed, violation, ending: "goes on", ...nothing };
  };
  return { run, tried };
}

const times = ({ faults }: Scenario) => faults.map(({ atMs }) => atMs);

test("of many faults only those stay that the failure needs", async () => {
  const needed = [300, 2900];
  const { run } = standIn((s) => needed.every((ms) => times(s).includes(ms)));
  const shrunk = await shrink(big, "replay", run);
  expect(shrunk && times(shrunk.scenario)).toEqual(needed);
  expect(shrunk?.result.violation?.message).toBe("as planned");
});

test("what the failure does not need becomes plain and small", async () => {
  const { run } = standIn(() => true);
  const scenario = (await shrink(big, "replay", run))?.scenario;
  expect(scenario).toEqual({
    ...big,
    nodes: ["a", "b"],
    spares: [],
    patientDeath: false,
    faultyMs: 1,
    network: { latencyMs: 1, jitterMs: 0, lossShare: 0, duplicateShare: 0, reorderShare: 0 },
    store: { kind: "file", arbiters: 1, delayMs: 1, lossShare: 0 },
    clocks: {},
    clients: 0,
    outside: null,
    leaveWaitMs: 0,
    faults: [],
  });
});

test("what the failure needs stays as it is", async () => {
  const isNeeded = (s: Scenario) =>
    s.network.lossShare > 0 && s.nodes.length === 3 && s.clients >= 1 && s.faultyMs > 900;
  const { run } = standIn(isNeeded);
  const scenario = (await shrink(big, "replay", run))?.scenario;
  expect(scenario?.network).toEqual(big.network);
  expect(scenario?.nodes).toEqual(big.nodes);
  expect(scenario?.clients).toBe(1);
  expect(scenario?.store.arbiters).toBe(1);
  expect(scenario?.faultyMs).toBeGreaterThan(900);
});

test("faults always strike before the end of the faulty time", async () => {
  const { run, tried } = standIn((s) => times(s).includes(3600));
  await shrink(big, "replay", run);
  for (const { faults, faultyMs } of tried) {
    expect(Math.max(-1, ...faults.map(({ atMs }) => atMs))).toBeLessThan(faultyMs);
  }
});

test("a computer that a fault is about stays", async () => {
  const cut: Fault = { kind: "cut", node: "c", share: 0, atMs: 5 };
  const delay: Fault = { kind: "delay", from: "a", to: "d", ms: 1, forMs: 1, atMs: 6 };
  const { run } = standIn(({ faults }) => faults.includes(cut) && faults.includes(delay));
  const shrunk = await shrink({ ...big, faults: [cut, delay] }, "replay", run);
  expect(shrunk?.scenario).toMatchObject({ nodes: ["a", "b", "c"], spares: ["d"] });
});

test("a scenario that fails another checker is not taken for the same failure", async () => {
  const { run } = standIn(() => true, "bounds");
  expect(await shrink(big, "replay", run)).toBeNull();
});

test("the number of runs is bounded, and what was found by then is given", async () => {
  const { run, tried } = standIn((s) => times(s).includes(1200));
  const shrunk = await shrink(big, "replay", run, 7);
  expect(tried).toHaveLength(7);
  expect(shrunk?.runs).toBe(7);
  expect(shrunk && times(shrunk.scenario)).toContain(1200);
});

test("the same failure is made smaller in the same way every time", async () => {
  const fails = (s: Scenario) => times(s).includes(700) && s.clients > 2;
  const [first, second] = [standIn(fails), standIn(fails)];
  await shrink(big, "replay", first.run);
  await shrink(big, "replay", second.run);
  expect(second.tried).toEqual(first.tried);
});
