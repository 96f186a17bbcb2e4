/** The result of many runs, for people: a small table, then the failing seeds. */
import path from "node:path";
import type { RunResult } from "../run-result.ts";
import type { Shape } from "../scenario.ts";
import type { FileCoverage } from "./core-coverage.ts";
import { scenarioInWords } from "./fault-words.ts";
import type { Shrunk } from "./shrink.ts";
import { type Failure, sorted, type Tally } from "./tally.ts";

export function progressLine(tally: Tally, last: number): string {
  const { seeds, failures, failovers } = tally;
  return `${seeds} of ${last} seeds, ${failovers} take-overs, ${failures.length} violations`;
}

export function table(tally: Tally, seconds: number): string {
  const { seeds, steps, failovers, restarts, simulatedMs, coverage, failures } = tally;
  const rows: [string, string | number][] = [
    ["seeds", seeds],
    ["seconds", seconds.toFixed(1)],
    ["runs a minute", seconds === 0 ? 0 : Math.round((60 * seeds) / seconds)],
    ["simulated hours", (simulatedMs / 3_600_000).toFixed(2)],
    ["inputs of the cores", steps],
    ["take-overs", failovers],
    ["restarts", restarts],
    ["pairs of role and input met", coverage.size],
    ...counted("ended: ", tally.endings),
    ...counted("fault: ", tally.faults),
    ["violations", failures.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function counted(prefix: string, counts: ReadonlyMap<string, number>): [string, number][] {
  return Object.entries(sorted(counts)).map(([name, count]) => [`${prefix}${name}`, count]);
}

/** `shrunk` null: it was not tried, or the failure did not come again. */
export function failureInWords(failure: Failure, shrunk: Shrunk | null, repeat: string): string {
  const { seed, checker, message } = failure;
  const head = `seed ${seed}: ${checker}: ${message}\n`;
  return `${head}${shrunk === null ? "" : shrunkInWords(shrunk)}  to repeat it: ${repeat}\n`;
}

export function shrunkInWords({ scenario, result, runs }: Shrunk): string {
  const lines = scenarioInWords(scenario).map((line) => `    ${line}\n`);
  const violation = `    ${result.violation?.checker}: ${result.violation?.message}\n`;
  const data = `    as data: ${JSON.stringify(scenario)}\n`;
  return `  a smaller scenario that fails so (found in ${runs} runs):\n${lines.join("")}${violation}${data}`;
}

export function resultInWords(result: RunResult): string {
  const { seed, ending, steps, failovers, simulatedMs, violation } = result;
  const seconds = (simulatedMs / 1000).toFixed(1);
  const summary = `seed ${seed}: ${ending} after ${seconds} simulated seconds, ${steps} inputs, ${failovers} take-overs\n`;
  return violation === null ? summary : `${summary}${violation.checker}: ${violation.message}\n`;
}

/** The command that runs the seed again. */
export function repeatCommand(seed: number, shape: Shape, bug: string | null): string {
  const ofShape = shape === "full" ? "" : ` --shape ${shape}`;
  const withBug = bug === null ? "" : ` --bug "${bug}"`;
  return `npm run sim -- --seed ${seed}${ofShape}${withBug} --shrunk --trace`;
}

/** Of each file: lines, how many of them ran, and which did not; then every pair of role and input. */
export function coverageTable(files: readonly FileCoverage[], pairs: readonly string[]): string {
  const rows = files.map(({ file, lines, missed }) => {
    const name = path.relative(process.cwd(), file).replace(/^src\//, "");
    return `${name.padEnd(52)} ${share(lines, missed.length)}  ${missed.join(" ")}`.trimEnd();
  });
  const sum = (of: (file: FileCoverage) => number) => files.reduce((n, file) => n + of(file), 0);
  const [lines, missed] = [sum((file) => file.lines), sum((file) => file.missed.length)];
  const head = `${"file".padEnd(52)}      lines       ran  never ran`;
  const total = `${"all".padEnd(52)} ${share(lines, missed)}`;
  return `${[head, ...rows, total, "", `${pairs.length} pairs of role and input:`, ...pairs].join("\n")}\n`;
}

function share(lines: number, missed: number): string {
  const ran = lines === 0 ? 100 : (100 * (lines - missed)) / lines;
  return `${String(lines).padStart(10)} ${`${ran.toFixed(1)} %`.padStart(9)}`;
}
