/** How many short runs of the simulator, one failover each, two cores do in a minute. */

import { runSeeds } from "../test/simulation/command/workers.ts";
import type { BenchOptions } from "./options.ts";
import { type Row, row } from "./report.ts";

const runsPerRound = 600;
const quickRunsPerRound = 200;

export async function sim({ quick, rounds, say }: BenchOptions): Promise<readonly Row[]> {
  const runs = quick ? quickRunsPerRound : runsPerRound;
  const count = rounds ?? (quick ? 3 : 5);
  say(`${count} rounds of ${runs} runs, at most ${Math.ceil((count * runs) / 1000)} minutes`);
  const perMinute: number[] = [];
  for (let round = 0; round < count; round++) {
    const first = 1 + round * runs;
    const value = await measure(first, first + runs - 1);
    say(`round ${round + 1}: ${Math.round(value)} runs a minute`);
    perMinute.push(value);
  }
  const named = { name: "runs-per-minute", unit: "1/min", better: "higher" } as const;
  return [row({ ...named, target: "p50 >= 2000" }, perMinute)];
}

/** With the start of both threads, as a user waits for it. */
async function measure(first: number, last: number): Promise<number> {
  const { tally, seconds } = await runSeeds({
    ...{ first, last, workers: 2, minutes: null, shape: "short", bug: null },
    isEnough: () => true,
    onProgress: () => {},
  });
  const [failure] = tally.failures;
  if (failure !== undefined) {
    throw new Error(`seed ${failure.seed} fails: ${failure.checker}: ${failure.message}`);
  }
  return (60 * tally.seeds) / seconds;
}
