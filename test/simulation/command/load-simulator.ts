/**
 * The simulator as the command uses it. It is loaded only when it is asked for: a deliberate bug
 * must be planted before the first core is loaded.
 */
import { plantBug } from "../bugs/bug-loader.ts";
import type { Bug } from "../bugs/bugs.ts";
import type { RunResult, RunScenario } from "../run-result.ts";
import type { Scenario, Shape } from "../scenario.ts";

export interface Simulator {
  readonly scenarioOf: (seed: number, shape: Shape) => Scenario;
  /** Never rejects: whatever a run throws is a violation of its own. */
  readonly run: RunScenario;
}

export async function loadSimulator(bug: Bug | null): Promise<Simulator> {
  if (bug !== null) plantBug(bug);
  const { scenarioOf } = await import("../draw.ts");
  const { runScenario } = await import("../simulation.ts");
  return { scenarioOf, run: failingStopped(runScenario) };
}

function failingStopped(run: RunScenario): RunScenario {
  return async (scenario, onEvent) => {
    try {
      return await run(scenario, onEvent);
    } catch (error) {
      return failedRun(scenario.seed, `the run threw: ${textOf(error)}`);
    }
  };
}

function failedRun(seed: number, message: string): RunResult {
  const nothing = { steps: 0, failovers: 0, restarts: 0, faults: {}, coverage: [], simulatedMs: 0 };
  const violation = { checker: "fail-stop", message } as const;
  return { seed, violation, ending: "violation", ...nothing };
}

/** With the stack: it is all that is known of an error that nobody expected. */
export function textOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "stack" in error) return String(error.stack);
  return String(error);
}
