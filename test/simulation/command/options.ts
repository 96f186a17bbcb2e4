/** What the command is told: `npm run sim -- [options]`. Bad options are one clear sentence. */
import { parseArgs } from "node:util";
import { type Bug, bugs } from "../bugs/bugs.ts";
import { regressions } from "../regressions.ts";
import type { Shape } from "../scenario.ts";

export type Command =
  | { readonly kind: "help" }
  /** Many seeds. */
  | {
      readonly kind: "seeds";
      readonly first: number;
      readonly last: number;
      readonly shape: Shape;
      readonly minutes: number | null;
      readonly workers: number;
      readonly json: boolean;
      readonly bug: Bug | null;
    }
  /** One scenario, looked at closely: of a seed, or of a regression (counted from 1). */
  | {
      readonly kind: "seed";
      readonly seed: number;
      readonly regression: number | null;
      readonly shape: Shape;
      readonly trace: boolean;
      readonly shrunk: boolean;
      readonly json: boolean;
      readonly bug: Bug | null;
    }
  /** Many seeds in one thread, and which lines of the cores they ran. */
  | { readonly kind: "coverage"; readonly first: number; readonly last: number }
  /** Every deliberate bug. */
  | { readonly kind: "bugs"; readonly workers: number; readonly json: boolean };

export class OptionError extends Error {
  override readonly name = "OptionError";
}

export const usage = `usage: npm run sim -- [options]
  --seeds FROM..TO  run these seeds (default 1..1000; with --minutes: from 1 on)
  --minutes M       begin no more seeds after M minutes
  --workers N       threads (default: one for each core)
  --shape SHAPE     "full" (default) or "short": runs with one failover each
  --seed N          run this one seed
    --trace         print every event, one a line (docs/simulator.md explains the columns)
    --shrunk        look for a smaller scenario that fails in the same way, and run that
  --regression N    run the N-th scenario of regressions.ts; --trace and --shrunk as for a seed
  --bug NAME        with this deliberate bug in the code
  --coverage        run the seeds in one thread, and tell which lines of the cores never ran
  --bugs            run every deliberate bug until it is caught, and print the table
  --json            the result as one line of JSON, and nothing else on standard output
`;

/** Seeds are 32-bit numbers. */
export const seedMax = 0xffff_ffff;
const workersMax = 256;
const defaultLast = 1000;

/**
 * `cores`: how many threads when nothing is said.
 * @throws OptionError
 */
export function parseCommand(args: readonly string[], cores: number): Command {
  const values = parse(args);
  if (values.help) return { kind: "help" };
  const json = values.json;
  const workers = whole("--workers", values.workers, workersMax) ?? cores;
  if (values.bugs) {
    only("--bugs", values, ["bugs", "workers", "json"]);
    return { kind: "bugs", workers, json };
  }
  if (values.coverage) {
    only("--coverage", values, ["coverage", "seeds"]);
    return { kind: "coverage", ...range(values.seeds, defaultLast) };
  }
  const bug = bugNamed(values.bug);
  const shape = shapeOf(values.shape) ?? bug?.shape ?? "full";
  const regression = whole("--regression", values.regression, regressions.length);
  const seed = whole("--seed", values.seed, seedMax);
  if (seed === null && regression === null)
    return { ...seedsOf(values, bug), shape, workers, json, bug };
  const option = seed === null ? "regression" : "seed";
  const shaped = seed === null ? [] : ["shape"];
  only(`--${option}`, values, [option, "trace", "shrunk", "json", "bug", ...shaped]);
  if (json && values.trace) {
    throw new OptionError("--json and --trace both want standard output; give one of them");
  }
  const { trace, shrunk } = values;
  return { kind: "seed", seed: seed ?? 0, regression, shape, trace, shrunk, json, bug };
}

type Values = ReturnType<typeof parse>;

function seedsOf(values: Values, bug: Bug | null) {
  const needSeed = values.trace ? "--trace" : "--shrunk";
  if (values.trace || values.shrunk) {
    throw new OptionError(`${needSeed} is about one seed; say which with --seed N`);
  }
  const minutes = minutesOf(values.minutes);
  const last = bug?.seedsMax ?? (minutes === null ? defaultLast : seedMax);
  return { kind: "seeds", ...range(values.seeds, last), minutes } as const;
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string" },
        minutes: { type: "string" },
        workers: { type: "string" },
        shape: { type: "string" },
        seed: { type: "string" },
        regression: { type: "string" },
        trace: { type: "boolean", default: false },
        shrunk: { type: "boolean", default: false },
        bug: { type: "string" },
        bugs: { type: "boolean", default: false },
        coverage: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    const [sentence = "bad options"] = String((error as Error).message).split(/\.\s/);
    throw new OptionError(`${sentence}; --help lists the options`);
  }
}

function range(text: string | undefined, defaultTo: number): { first: number; last: number } {
  if (text === undefined) return { first: 1, last: defaultTo };
  const [, from = "", to = ""] = /^(\d{1,10})\.\.(\d{1,10})$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === "" || last > seedMax) {
    throw new OptionError(
      `--seeds is "${text}"; give two numbers up to ${seedMax}, such as 1..1000`,
    );
  }
  if (first > last) {
    throw new OptionError(`--seeds is "${text}", which ends before it begins; give ${to}..${from}`);
  }
  return { first, last };
}

function whole(option: string, text: string | undefined, max: number): number | null {
  if (text === undefined) return null;
  const least = option === "--seed" ? 0 : 1;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= max) return value;
  throw new OptionError(`${option} is "${text}"; give a whole number from ${least} to ${max}`);
}

function minutesOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const minutes = /^\d{1,5}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (minutes > 0) return minutes;
  throw new OptionError(`--minutes is "${text}"; give a number above 0, such as 4 or 0.5`);
}

function shapeOf(text: string | undefined): Shape | null {
  if (text === undefined) return null;
  if (text === "full" || text === "short") return text;
  throw new OptionError(`--shape is "${text}"; give "full" or "short"`);
}

function bugNamed(name: string | undefined): Bug | null {
  if (name === undefined) return null;
  const bug = bugs.find((other) => other.name === name);
  if (bug !== undefined) return bug;
  throw new OptionError(`there is no deliberate bug "${name}"; docs/simulator.md lists them`);
}

/** Options that mean nothing beside this one are a mistake of whoever gave them. */
function only(option: string, values: Values, allowed: readonly string[]): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === false || allowed.includes(name)) continue;
    throw new OptionError(`--${name} means nothing together with ${option}; leave one out`);
  }
}
