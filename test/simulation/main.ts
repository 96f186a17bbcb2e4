/**
 * The command of the simulator, `npm run sim` (docs/simulator.md). Exit code 0: no violation (or every
 * bug was caught); 1: a violation (or a bug was not caught); 2: the options make no sense.
 */
import { writeSync } from "node:fs";
import os from "node:os";
import { hunt, huntAll, huntInWords, huntsJson, huntTable } from "./bugs/bug-hunt.ts";
import { withCoverage } from "./command/core-coverage.ts";
import { loadSimulator, textOf } from "./command/load-simulator.ts";
import { type Command, OptionError, parseCommand, usage } from "./command/options.ts";
import {
  coverageTable,
  failureInWords,
  progressLine,
  repeatCommand,
  resultInWords,
  shrunkInWords,
  table,
} from "./command/report.ts";
import { shrink } from "./command/shrink.ts";
import { addResult, emptyTally, inOrder, type Tally, tallyJson } from "./command/tally.ts";
import { traceLine } from "./command/trace.ts";
import { runSeeds } from "./command/workers.ts";
import { operatorCommand, operatorUsage } from "./operator/command.ts";
import { regressions } from "./regressions.ts";

const badOptionsCode = 2;
/** Of more failing seeds than this the first ones tell enough. */
const failuresShown = 3;
const progressIntervalMs = 5_000;

// Whoever reads only the beginning of a trace has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
try {
  const args = process.argv.slice(2);
  const cores = os.availableParallelism();
  process.exitCode = args.includes("--operator")
    ? await operatorCommand(args, cores)
    : await perform(parseCommand(args, cores));
} catch (error) {
  const isBadOption = error instanceof OptionError;
  say(isBadOption ? error.message : textOf(error));
  process.exitCode = isBadOption ? badOptionsCode : 1;
}

async function perform(command: Command): Promise<number> {
  switch (command.kind) {
    case "help":
      process.stdout.write(usage + operatorUsage);
      return 0;
    case "seeds":
      return command.bug === null ? await manySeeds(command) : await oneBug(command);
    case "seed":
      return await oneSeed(command);
    case "coverage":
      return await coverage(command);
    case "bugs":
      return await allBugs(command);
  }
}

type Seeds = Extract<Command, { kind: "seeds" }>;

async function manySeeds(command: Seeds): Promise<number> {
  const { first, last, shape, workers, minutes, json } = command;
  let saidMs = performance.now();
  let told = 0;
  const onProgress = (tally: Tally) => {
    for (const { seed, checker } of tally.failures.slice(told)) say(`seed ${seed}: ${checker}`);
    told = tally.failures.length;
    if (performance.now() - saidMs < progressIntervalMs) return;
    saidMs = performance.now();
    say(progressLine(tally, last - first + 1));
  };
  const range = { first, last, shape, bug: null, workers, minutes };
  const { tally, seconds } = await runSeeds({ ...range, isEnough: () => false, onProgress });
  process.stdout.write(json ? `${tallyJson(tally, seconds)}\n` : table(tally, seconds));
  if (!json) await showFailures(tally, command);
  return tally.failures.length > 0 ? 1 : 0;
}

async function showFailures(tally: Tally, { shape }: Seeds): Promise<void> {
  if (tally.failures.length === 0) return;
  const simulator = await loadSimulator(null);
  for (const failure of inOrder(tally.failures).slice(0, failuresShown)) {
    const { seed, checker, crashed } = failure;
    const scenario = simulator.scenarioOf(seed, shape);
    const shrunk = crashed ? null : await shrink(scenario, checker, simulator.run);
    const repeat = repeatCommand(seed, shape, null);
    process.stdout.write(`\n${failureInWords(failure, shrunk, repeat)}`);
  }
  const others = tally.failures.length - failuresShown;
  if (others > 0) process.stdout.write(`\nand ${others} more failing seeds\n`);
}

async function oneSeed(command: Extract<Command, { kind: "seed" }>): Promise<number> {
  const { seed, regression, shape, trace, json, bug } = command;
  const simulator = await loadSimulator(bug);
  const known = regression === null ? undefined : regressions[regression - 1];
  if (known !== undefined && !json)
    process.stdout.write(`regression ${regression}: ${known.what}\n`);
  let scenario = known?.scenario ?? simulator.scenarioOf(seed, shape);
  if (command.shrunk) {
    const { violation } = await simulator.run(scenario);
    const shrunk = violation && (await shrink(scenario, violation.checker, simulator.run));
    if (shrunk === null)
      say(`seed ${scenario.seed} fails no checker: there is nothing to make smaller`);
    else if (!json) process.stdout.write(shrunkInWords(shrunk));
    scenario = shrunk?.scenario ?? scenario;
  }
  const begun = performance.now();
  const result = await simulator.run(
    scenario,
    trace ? (event) => writeNow(`${traceLine(event)}\n`) : undefined,
  );
  const tally = emptyTally();
  addResult(tally, result);
  const seconds = (performance.now() - begun) / 1000;
  process.stdout.write(json ? `${tallyJson(tally, seconds)}\n` : resultInWords(result));
  return result.violation === null ? 0 : 1;
}

async function coverage({ first, last }: Extract<Command, { kind: "coverage" }>): Promise<number> {
  const simulator = await loadSimulator(null);
  const tally = emptyTally();
  const { files } = await withCoverage(async () => {
    for (let seed = first; seed <= last; seed++) {
      addResult(tally, await simulator.run(simulator.scenarioOf(seed, "full")));
    }
  });
  process.stdout.write(coverageTable(files, [...tally.coverage].sort()));
  return tally.failures.length > 0 ? 1 : 0;
}

async function oneBug(command: Seeds): Promise<number> {
  const { bug, json } = command;
  if (bug === null) throw new Error("no bug was given");
  const begun = performance.now();
  const done = await hunt(bug, command);
  const seconds = (performance.now() - begun) / 1000;
  process.stdout.write(json ? `${huntsJson([done], seconds)}\n` : huntInWords(done));
  return done.caught === null ? 1 : 0;
}

async function allBugs({ workers, json }: Extract<Command, { kind: "bugs" }>): Promise<number> {
  const begun = performance.now();
  const hunts = await huntAll(workers, (done) => {
    process.stderr.write(huntInWords(done));
  });
  const seconds = (performance.now() - begun) / 1000;
  process.stdout.write(json ? `${huntsJson(hunts, seconds)}\n` : huntTable(hunts));
  const missed = hunts.filter(({ caught }) => caught === null).length;
  if (missed > 0) say(`${missed} of ${hunts.length} bugs were not caught`);
  return missed > 0 ? 1 : 0;
}

/** Of a run that never ends the last line says the most: a line is out before the run goes on. */
function writeNow(text: string): void {
  let rest: Uint8Array = new TextEncoder().encode(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(process.stdout.fd, rest));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EPIPE") process.exit();
      if (code !== "EAGAIN") throw error;
      // The pipe is full: whoever reads it needs a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** The system's name of an error. */
function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function say(text: string): void {
  process.stderr.write(`sim: ${text}\n`);
}
