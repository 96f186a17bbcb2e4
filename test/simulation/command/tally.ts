/** What many runs came to. */
import type { CheckerName } from "../checkers/checker.ts";
import type { RunResult } from "../run-result.ts";

export interface Failure {
  readonly seed: number;
  readonly checker: CheckerName;
  readonly message: string;
  /** The thread died of it, or had to be ended: it cannot be looked at in this process. */
  readonly crashed: boolean;
}

export interface Tally {
  seeds: number;
  steps: number;
  failovers: number;
  restarts: number;
  simulatedMs: number;
  readonly faults: Map<string, number>;
  readonly endings: Map<string, number>;
  readonly coverage: Set<string>;
  readonly failures: Failure[];
}

export function emptyTally(): Tally {
  return {
    seeds: 0,
    steps: 0,
    failovers: 0,
    restarts: 0,
    simulatedMs: 0,
    faults: new Map(),
    endings: new Map(),
    coverage: new Set(),
    failures: [],
  };
}

export function addResult(tally: Tally, result: RunResult): void {
  tally.seeds++;
  tally.steps += result.steps;
  tally.failovers += result.failovers;
  tally.restarts += result.restarts;
  tally.simulatedMs += result.simulatedMs;
  for (const [kind, count] of Object.entries(result.faults)) add(tally.faults, kind, count);
  add(tally.endings, result.ending, 1);
  for (const pair of result.coverage) tally.coverage.add(pair);
  const { seed, violation } = result;
  if (violation !== null) tally.failures.push({ seed, ...violation, crashed: false });
}

/** A run that has no result of its own. */
export function addCrash(tally: Tally, failure: Omit<Failure, "crashed">): void {
  tally.seeds++;
  add(tally.endings, "violation", 1);
  tally.failures.push({ ...failure, crashed: true });
}

/** The same runs give the same text, in whatever order their threads were done. */
export function tallyJson(tally: Tally, seconds: number): string {
  const { seeds, steps, failovers, restarts, failures, coverage } = tally;
  const violations = inOrder(failures).map(({ seed, checker, message }) => {
    return { seed, checker, message };
  });
  return JSON.stringify({
    ...{ seeds, steps, failovers, restarts, faults: sorted(tally.faults), violations },
    ...{ endings: sorted(tally.endings), coverage: coverage.size },
    seconds: Number(seconds.toFixed(3)),
  });
}

export function inOrder(failures: readonly Failure[]): readonly Failure[] {
  return [...failures].sort((a, b) => a.seed - b.seed);
}

export function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
