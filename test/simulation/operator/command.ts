/** `npm run sim -- --operator`: seeds of the operator's simulation, one of them in detail, or all deliberate bugs. */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { OptionError } from "../command/options.ts";
import { type OperatorBug, operatorBugs } from "./bugs.ts";
import { scenarioOf } from "./draw.ts";
import type { OperatorRun } from "./run.ts";
import type { WorkerSeeds } from "./worker.ts";

export const operatorUsage = `       npm run sim -- --operator [options]   the operator instead of the pair
  --seeds N         run the seeds 1..N (default 300)
  --seed N          run this one seed
    --trace         print every plan and everything that happens, one a line
  --bugs            run every deliberate bug until it is caught, and print the table
  --json            the result as one line of JSON
`;

const seedMax = 0xffff_ffff;
const seedsDefault = 300;
const failuresShown = 5;

/** Gives the exit code. @throws OptionError */
export async function operatorCommand(args: readonly string[], cores: number): Promise<number> {
  const { seeds, seed, trace, bugs, json } = parse(args);
  if (bugs) return await allBugs(cores, json);
  if (seed !== undefined) return await oneSeed(whole("--seed", seed), trace);
  if (trace) throw new OptionError("--trace is about one seed; say which with --seed N");
  return await manySeeds(seeds === undefined ? seedsDefault : whole("--seeds", seeds), cores, json);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        operator: { type: "boolean" },
        seeds: { type: "string" },
        seed: { type: "string" },
        trace: { type: "boolean", default: false },
        bugs: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    // SAFETY: parseArgs throws nothing but errors.
    const [sentence = "bad options"] = String((error as Error).message).split(/\.\s/);
    throw new OptionError(`${sentence}; --help lists the options`);
  }
}

function whole(option: string, text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= seedMax) return value;
  throw new OptionError(`${option} is "${text}"; give a whole number from 1 to ${seedMax}`);
}

async function oneSeed(seed: number, trace: boolean): Promise<number> {
  const { runOperator } = await import("./run.ts");
  const { faultInWords } = await import("./words.ts");
  const scenario = scenarioOf(seed);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const { violation, ending, plans, writes } = runOperator(scenario, trace ? say : null);
  if (!trace) {
    for (const fault of scenario.faults)
      say(`${String(fault.atMs).padStart(8)}  ${faultInWords(fault)}`);
  }
  say(`seed ${seed}: ${ending} after ${plans} plans and ${writes} writes`);
  if (violation !== null) say(`${violation.checker}: ${violation.message}`);
  return violation === null ? 0 : 1;
}

async function manySeeds(last: number, cores: number, json: boolean): Promise<number> {
  const begun = performance.now();
  const threads = Array.from({ length: cores }, (_, index) =>
    runInThread({ first: index + 1, last, stride: cores, bug: null }),
  );
  const runs = (await Promise.all(threads)).flat().toSorted((a, b) => a.seed - b.seed);
  const failed = runs.flatMap(({ seed, violation }) =>
    violation === null ? [] : [{ seed, ...violation }],
  );
  const sum = (of: (run: OperatorRun) => number) => runs.reduce((total, run) => total + of(run), 0);
  const endings: Record<string, number> = {};
  for (const { ending } of runs) endings[ending] = (endings[ending] ?? 0) + 1;
  const result = {
    ...{ seeds: runs.length, plans: sum((run) => run.plans), writes: sum((run) => run.writes) },
    ...{ failovers: sum((run) => run.failovers), restarts: sum((run) => run.restarts) },
    ...{
      endings,
      violations: failed,
      seconds: Number(((performance.now() - begun) / 1000).toFixed(3)),
    },
  };
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const { violations: _, ...counts } = result;
    process.stdout.write(`${JSON.stringify(counts, null, 2)}\n`);
    for (const { seed, checker, message } of failed.slice(0, failuresShown)) {
      process.stdout.write(
        `seed ${seed}: ${checker}: ${message}\n  to repeat it: npm run sim -- --operator --seed ${seed} --trace\n`,
      );
    }
  }
  return failed.length > 0 ? 1 : 0;
}

interface OperatorHunt {
  readonly bug: OperatorBug;
  readonly caught: OperatorRun | null;
  readonly seeds: number;
}

async function allBugs(cores: number, json: boolean): Promise<number> {
  const hunts = new Map<OperatorBug, OperatorHunt>();
  const waiting = [...operatorBugs];
  const work = async () => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const done = await hunt(bug);
      hunts.set(bug, done);
      const checker = done.caught?.violation?.checker;
      const how = checker === undefined ? "NOT caught" : `caught by "${checker}"`;
      process.stderr.write(`${how} after ${done.seeds} seeds: ${bug.name}\n`);
    }
  };
  await Promise.all(Array.from({ length: cores }, work));
  const all = operatorBugs.flatMap((bug) => hunts.get(bug) ?? []);
  const rows = all.map(({ bug, caught, seeds }) => ({
    ...{ name: bug.name, expected: bug.caughtBy, caughtBy: caught?.violation?.checker ?? null },
    ...{ seeds, message: caught?.violation?.message ?? null },
  }));
  if (json) process.stdout.write(`${JSON.stringify({ bugs: rows })}\n`);
  else {
    process.stdout.write("| bug | caught by | seeds needed |\n|---|---|---|\n");
    for (const { name, caughtBy, seeds } of rows) {
      process.stdout.write(
        `| ${name} | ${caughtBy ?? "nobody"} | ${caughtBy === null ? `not in ${seeds}` : seeds} |\n`,
      );
    }
  }
  return all.some(({ caught }) => caught === null) ? 1 : 0;
}

/** Seeds in a row until a checker sees the bug that should; one that fails without it does not count. */
async function hunt(bug: OperatorBug): Promise<OperatorHunt> {
  for (let first = 1; first <= bug.seedsMax; ) {
    const runs = await runInThread({ first, last: bug.seedsMax, stride: 1, bug: bug.name });
    const last = runs.at(-1);
    const seen = last?.violation?.checker;
    if (last === undefined || seen === undefined || !bug.caughtBy.includes(seen)) break;
    const { runOperator } = await import("./run.ts");
    if (runOperator(scenarioOf(last.seed), null).violation === null) {
      return { bug, caught: last, seeds: last.seed };
    }
    first = last.seed + 1;
  }
  return { bug, caught: null, seeds: bug.seedsMax };
}

function runInThread(seeds: WorkerSeeds): Promise<readonly OperatorRun[]> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: seeds });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () =>
      reject(new Error("a thread of the simulation ended without a result")),
    );
  });
}
