/** A thread that runs seeds, as `workers.ts` deals them. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../src/shared/assert.ts";
import { bugs } from "../bugs/bugs.ts";
import type { RunResult } from "../run-result.ts";
import type { Shape } from "../scenario.ts";
import { loadSimulator } from "./load-simulator.ts";

export interface WorkerOptions {
  readonly shape: Shape;
  readonly bug: string | null;
}

export interface Slice {
  readonly first: number;
  readonly last: number;
}

export type WorkerMessage =
  /** Loaded, or done with the last slice. */
  { readonly kind: "idle" } | { readonly kind: "ran"; readonly result: RunResult };

const port = parentPort;
assert(port !== null, "this file is the main module of a worker thread");
const { shape, bug } = workerData as WorkerOptions;
const simulator = await loadSimulator(bugs.find(({ name }) => name === bug) ?? null);
/** What was met is told once. */
const met = new Set<string>();
const tell = (message: WorkerMessage) => port.postMessage(message);

port.on("message", (slice: Slice) => void runAll(slice));
tell({ kind: "idle" });

async function runAll({ first, last }: Slice): Promise<void> {
  for (let seed = first; seed <= last; seed++) {
    const result = await simulator.run(simulator.scenarioOf(seed, shape));
    const coverage = result.coverage.filter((pair) => !met.has(pair));
    for (const pair of coverage) met.add(pair);
    tell({ kind: "ran", result: { ...result, coverage } });
  }
  tell({ kind: "idle" });
}
