/**
 * Makes a failing scenario smaller: fewer faults (delta debugging: halves, then smaller parts, then
 * one by one), a shorter life, a calmer world, fewer clients and computers. A change stays if the
 * same checker still fails. The result is no minimum, but each part of it was needed when tried.
 */
import { pairTimings } from "../../../src/vm-runner/failover/pair-timings.ts";
import type { CheckerName } from "../checkers/checker.ts";
import type { Node } from "../events.ts";
import type { RunResult, RunScenario } from "../run-result.ts";
import type { Fault, Scenario } from "../scenario.ts";

export interface Shrunk {
  readonly scenario: Scenario;
  /** Of the last run that failed; of the scenario as it is. */
  readonly result: RunResult;
  readonly runs: number;
}

const shrinkRunsMax = 300;

/** Null when the scenario does not fail this checker at all. */
export async function shrink(
  scenario: Scenario,
  checker: CheckerName,
  run: RunScenario,
  runsMax: number = shrinkRunsMax,
): Promise<Shrunk | null> {
  const search = new Search(checker, run, runsMax);
  if (!(await search.accepts(scenario))) return null;
  for (let before = -1; before !== search.accepted; ) {
    before = search.accepted;
    await dropFaults(search);
    for (const smaller of simplifications) await simplify(search, smaller);
  }
  return search.best;
}

class Search {
  accepted = 0;
  readonly #checker: CheckerName;
  readonly #run: RunScenario;
  readonly #runsMax: number;
  #runs = 0;
  #best: { readonly scenario: Scenario; readonly result: RunResult } | null = null;

  constructor(checker: CheckerName, run: RunScenario, runsMax: number) {
    this.#checker = checker;
    this.#run = run;
    this.#runsMax = runsMax;
  }

  get best(): Shrunk | null {
    return this.#best === null ? null : { ...this.#best, runs: this.#runs };
  }

  get scenario(): Scenario {
    if (this.#best === null) throw new Error("nothing has failed yet");
    return this.#best.scenario;
  }

  /** Whether this one fails too: then it is the best so far. False once the runs are used up. */
  async accepts(scenario: Scenario): Promise<boolean> {
    if (this.#runs >= this.#runsMax) return false;
    this.#runs++;
    const result = await this.#run(scenario);
    if (result.violation?.checker !== this.#checker) return false;
    this.#best = { scenario, result };
    this.accepted++;
    return true;
  }
}

/** Leaves out parts of the faults: halves at first, at last single ones. */
async function dropFaults(search: Search): Promise<void> {
  for (let size = Math.ceil(search.scenario.faults.length / 2); size >= 1; ) {
    for (let at = 0; at < search.scenario.faults.length; ) {
      const { faults } = search.scenario;
      const rest = [...faults.slice(0, at), ...faults.slice(at + size)];
      const dropped = await search.accepts({ ...search.scenario, faults: rest });
      if (!dropped) at += size;
    }
    if (size === 1) return;
    size = Math.ceil(size / 2);
  }
}

/** A smaller scenario; null: it is as small as this change can make it. */
type Simplification = (scenario: Scenario) => Scenario | null;

/** Repeats one change for as long as it is accepted. */
async function simplify(search: Search, smaller: Simplification): Promise<void> {
  for (let tries = 0; tries < 8; tries++) {
    const next = smaller(search.scenario);
    if (next === null || !(await search.accepts(next))) return;
  }
}

const calmNetwork = { latencyMs: 1, jitterMs: 0, lossShare: 0, duplicateShare: 0, reorderShare: 0 };
const trueClock = { offsetMs: 0, rate: 1 };
const plainOperator = { lookMs: 50, staleMs: 0, rivals: false };
const plainStore = { arbiters: 1, delayMs: 1, lossShare: 0 };

const simplifications: readonly Simplification[] = [
  (s) => changed(s, { network: { ...calmNetwork, latencyMs: s.network.latencyMs } }),
  (s) => changed(s, { network: calmNetwork }),
  (s) => changed(s, { store: { ...s.store, ...plainStore } }),
  (s) => changed(s, { clocks: {} }),
  (s) => changed(s, { clocks: mapped(s.clocks, () => trueClock) }),
  (s) => changed(s, { clients: Math.min(s.clients, 1) }),
  (s) => changed(s, { clients: 0 }),
  (s) => changed(s, { outside: null }),
  (s) => changed(s, { outside: s.outside && { ...s.outside, clients: 1, lossShare: 0 } }),
  (s) => changed(s, { timings: pairTimings }),
  (s) => changed(s, { leaveWaitMs: 0 }),
  (s) => changed(s, { operator: s.operator && { ...s.operator, ...plainOperator } }),
  (s) => changed(s, { operator: null }),
  (s) => changed(s, { guest: { ...s.guest, timersPerFrames: 0 } }),
  (s) => changed(s, { spares: withoutLast(s.spares, s.faults) }),
  (s) => changed(s, { nodes: s.nodes.length > 2 ? withoutLast(s.nodes, s.faults) : s.nodes }),
  (s) => changed(s, { faultyMs: lastFaultMs(s.faults) }),
  (s) => changed(s, { faultyMs: Math.max(lastFaultMs(s.faults), Math.floor(s.faultyMs / 2)) }),
];

/** A computer that a fault is about must stay: else the run would fail in a way of its own. */
function withoutLast(nodes: readonly Node[], faults: readonly Fault[]): readonly Node[] {
  const last = nodes.at(-1);
  const isNeeded = faults.some((fault) => {
    const named = "node" in fault ? [fault.node] : "from" in fault ? [fault.from, fault.to] : [];
    return named.some((node) => node === last);
  });
  return isNeeded ? nodes : nodes.slice(0, -1);
}

/** Faults strike before `faultyMs`. */
function lastFaultMs(faults: readonly Fault[]): number {
  return faults.reduce((last, { atMs }) => Math.max(last, Math.floor(atMs) + 1), 1);
}

function mapped<T>(record: Readonly<Record<string, T>>, to: () => T): Record<string, T> {
  return Object.fromEntries(Object.keys(record).map((key) => [key, to()]));
}

/** Null when nothing would be other than it is. */
function changed(scenario: Scenario, part: Partial<Scenario>): Scenario | null {
  const next = { ...scenario, ...part };
  return JSON.stringify(next) === JSON.stringify(scenario) ? null : next;
}
