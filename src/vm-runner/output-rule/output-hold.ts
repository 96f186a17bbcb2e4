/**
 * The Output Rule (the paper, section 2.2), one predicate for every situation: an output of step n
 * leaves only when every runner that could be the named backup has acknowledged entry n, and only
 * from a runner that knows it was named primary. Only the output waits; the primary goes on.
 */
import { assert } from "../../shared/assert.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";

export interface OutputHold {
  /** In the order in which they left the machine. */
  readonly held: readonly HeldOutput[];
  readonly heldBytes: number;
  /** The last step of which an output was released; -1 before the first. */
  readonly released: StepIndex;
}

export interface HeldOutput {
  readonly index: StepIndex;
  readonly output: RunnerOutput;
  /** When it was produced, for the output-hold histogram. */
  readonly sinceMs: number;
}

export const emptyHold: OutputHold = { held: [], heldBytes: 0, released: -1 };

export function holdOutput(hold: OutputHold, item: HeldOutput): OutputHold {
  const last = hold.held.at(-1);
  assert(
    last === undefined || last.index <= item.index,
    `output of step ${item.index} came after one of step ${last?.index}`,
  );
  return {
    ...hold,
    held: [...hold.held, item],
    heldBytes: hold.heldBytes + outputBytes(item.output),
  };
}

/**
 * Takes out what may leave: every output of a step up to `through`, the last entry that all who
 * count have acknowledged.
 */
export function releaseOutputs(
  hold: OutputHold,
  through: StepIndex,
): { readonly hold: OutputHold; readonly released: readonly HeldOutput[] } {
  const kept = hold.held.findIndex((item) => item.index > through);
  const count = kept === -1 ? hold.held.length : kept;
  if (count === 0) return { hold, released: [] };
  const released = hold.held.slice(0, count);
  const bytes = released.reduce((sum, item) => sum + outputBytes(item.output), 0);
  return {
    hold: {
      held: hold.held.slice(count),
      heldBytes: hold.heldBytes - bytes,
      released: Math.max(hold.released, released.at(-1)?.index ?? -1),
    },
    released,
  };
}

function outputBytes(output: RunnerOutput): number {
  return output.kind === "console" ? output.bytes.length : 0;
}
