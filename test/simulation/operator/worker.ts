/** A thread that runs seeds of the operator's simulation, with a deliberate bug in the code or without. */
import { parentPort, workerData } from "node:worker_threads";
import { plantBug } from "../bugs/bug-loader.ts";
import { operatorBugs } from "./bugs.ts";
import type { OperatorRun } from "./run.ts";

export interface WorkerSeeds {
  readonly first: number;
  readonly last: number;
  /** Seeds between two of this thread. */
  readonly stride: number;
  readonly bug: string | null;
}

// SAFETY: `runInThread` gives exactly this.
const { first, last, stride, bug: name } = workerData as WorkerSeeds;
const bug = operatorBugs.find((other) => other.name === name) ?? null;
if (bug !== null) plantBug({ ...bug, caughtBy: [] });
// The simulation is loaded only when the bug is planted.
const { runOperator } = await import("./run.ts");
const { scenarioOf } = await import("./draw.ts");
const runs: OperatorRun[] = [];
for (let seed = first; seed <= last; seed += stride) {
  const run = runOperator(scenarioOf(seed), null);
  runs.push(run);
  const { violation } = run;
  if (bug !== null && violation !== null && bug.caughtBy.includes(violation.checker)) break;
}
parentPort?.postMessage(runs);
