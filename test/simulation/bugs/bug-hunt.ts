/** Runs seeds with a deliberate bug in the code until a checker that should catch it does. */

import { repeatCommand } from "../command/report.ts";
import type { Failure } from "../command/tally.ts";
import { runSeeds } from "../command/workers.ts";
import type { Shape } from "../scenario.ts";
import { type Bug, bugs } from "./bugs.ts";

export interface Hunt {
  readonly bug: Bug;
  readonly caught: Failure | null;
  /** How many seeds were run until it was caught, or in all. */
  readonly seeds: number;
}

export interface HuntOptions {
  readonly first: number;
  readonly last: number;
  readonly shape: Shape;
  readonly workers: number;
  readonly minutes: number | null;
}

/**
 * The lowest seed that catches it decides: the same in every run. A seed that fails without the bug
 * too proves nothing, and is passed over.
 */
export async function hunt(bug: Bug, options: HuntOptions): Promise<Hunt> {
  for (let first = options.first; first <= options.last; ) {
    const { tally, enough } = await runSeeds({
      ...options,
      first,
      bug: bug.name,
      isEnough: ({ checker }) => bug.caughtBy.includes(checker),
      onProgress: () => {},
    });
    if (enough === null) {
      return { bug, caught: null, seeds: first - options.first + tally.seeds };
    }
    if (await passesWithoutBug(enough.seed, options)) {
      return { bug, caught: enough, seeds: enough.seed - options.first + 1 };
    }
    first = enough.seed + 1;
  }
  return { bug, caught: null, seeds: options.last - options.first + 1 };
}

async function passesWithoutBug(seed: number, { shape }: HuntOptions): Promise<boolean> {
  const { tally } = await runSeeds({
    ...{ first: seed, last: seed, shape, workers: 1, minutes: null, bug: null },
    isEnough: () => false,
    onProgress: () => {},
  });
  return tally.failures.length === 0;
}

/** All of them, `workers` at a time, each in a thread of its own; in the order of the list. */
export async function huntAll(
  workers: number,
  onHunt: (hunt: Hunt) => void,
): Promise<readonly Hunt[]> {
  const hunts = new Map<Bug, Hunt>();
  const waiting = [...bugs];
  const work = async () => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const { shape = "full", seedsMax: last } = bug;
      const done = await hunt(bug, { first: 1, last, shape, workers: 1, minutes: null });
      hunts.set(bug, done);
      onHunt(done);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return bugs.flatMap((bug) => hunts.get(bug) ?? []);
}

export function huntInWords({ bug, caught, seeds }: Hunt): string {
  if (caught === null) {
    return `NOT caught in ${seeds} seeds: ${bug.name} (expected: ${bug.caughtBy.join(", ")})\n`;
  }
  const repeat = repeatCommand(caught.seed, bug.shape ?? "full", bug.name);
  return `caught by "${caught.checker}" after ${seeds} seeds: ${bug.name}\n  ${caught.message}\n  to repeat it: ${repeat}\n`;
}

/** As docs/simulator.md shows it. */
export function huntTable(hunts: readonly Hunt[]): string {
  const rows = hunts.map(({ bug, caught, seeds }) => {
    const needed = caught === null ? `not in ${seeds}` : String(seeds);
    return `| ${bug.name} | ${bug.caughtBy.join(", ")} | ${caught?.checker ?? "nobody"} | ${needed} |\n`;
  });
  const head = "| bug | expected checkers | caught by | seeds needed |\n|---|---|---|---|\n";
  return `${head}${rows.join("")}`;
}

export function huntsJson(hunts: readonly Hunt[], seconds: number): string {
  const rows = hunts.map(({ bug, caught, seeds }) => {
    const { name, caughtBy } = bug;
    const message = caught?.message ?? null;
    const found = { caughtBy: caught?.checker ?? null, seed: caught?.seed ?? null };
    return { name, expected: caughtBy, ...found, seeds, message };
  });
  return JSON.stringify({ bugs: rows, seconds: Number(seconds.toFixed(3)) });
}
