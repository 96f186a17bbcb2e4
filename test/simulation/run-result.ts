/** One run of one scenario: the only thing that the command line and the shrinker know. */
import type { CheckerName } from "./checkers/checker.ts";
import type { SimEvent } from "./events.ts";
import type { Scenario } from "./scenario.ts";

export interface RunResult {
  readonly seed: number;
  readonly violation: { readonly checker: CheckerName; readonly message: string } | null;
  readonly ending: "goes on" | "switched off" | "lost" | "stuck" | "violation";
  /** Inputs that the cores took in. */
  readonly steps: number;
  /** Take-overs that the record granted. */
  readonly failovers: number;
  /** Times that the VM was begun anew. */
  readonly restarts: number;
  /** Faults that struck, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Distinct "role: input" pairs that the cores met. */
  readonly coverage: readonly string[];
  /** Simulated time. */
  readonly simulatedMs: number;
}

export type RunScenario = (
  scenario: Scenario,
  onEvent?: (event: SimEvent) => void,
) => Promise<RunResult>;
