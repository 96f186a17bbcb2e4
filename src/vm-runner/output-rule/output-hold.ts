/**
 * The Output Rule (the paper, section 2.2), one predicate for every situation: an output of step n
 * leaves only when every runner that could be the named backup has acknowledged entry n, and only
 * from a runner that knows it was named primary. Only the output waits; the primary goes on.
 *
 * Frames of the guest are outputs like any other: a network may lose them, but it may not deliver
 * one that a new primary has never heard of. Since it may lose them, the guest does not wait for
 * room here as it does for its console.
 */
import { assert } from "../../shared/assert.ts";
import { bytesIn } from "../../shared/bytes.ts";
import { Fifo } from "../../shared/fifo.ts";
import type { EgressOutput } from "../machine/machine.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";

export interface OutputHold {
  /** In the order in which they left the machine. */
  readonly held: Fifo<HeldOutput>;
  /** Of the console: at a bound the recorder waits (see `recorder-allowance.ts`). */
  readonly heldBytes: number;
  /** Of the guest's frames: at a bound the newest are dropped. */
  readonly heldEgressBytes: number;
  /** The last step of which an output was released; -1 before the first. */
  readonly released: StepIndex;
}

export interface HeldOutput {
  readonly index: StepIndex;
  readonly output: RunnerOutput;
  /** When it was produced, for the output-hold histogram. */
  readonly sinceMs: number;
}

export const emptyHold: OutputHold = {
  held: Fifo.of(),
  heldBytes: 0,
  heldEgressBytes: 0,
  released: -1,
};

export function holdOutput(hold: OutputHold, item: HeldOutput): OutputHold {
  const { last } = hold.held;
  assert(
    last === undefined || last.index <= item.index,
    `output of step ${item.index} came after one of step ${last?.index}`,
  );
  return {
    ...hold,
    held: hold.held.append(item),
    heldBytes: hold.heldBytes + consoleBytes(item.output),
    heldEgressBytes: hold.heldEgressBytes + egressBytes(item.output),
  };
}

/** Whether the frames of `output` find room beside those held, where so many bytes may be. */
export function hasRoom(hold: OutputHold, output: EgressOutput, egressBytesMax: number): boolean {
  return hold.heldEgressBytes + egressBytes(output) <= egressBytesMax;
}

/**
 * Takes out what may leave: every output of a step up to `through`, the last entry that all who
 * count have acknowledged.
 */
export function releaseOutputs(
  hold: OutputHold,
  through: StepIndex,
): { readonly hold: OutputHold; readonly released: readonly HeldOutput[] } {
  const count = hold.held.countWhile((item) => item.index <= through);
  if (count === 0) return { hold, released: [] };
  const released = hold.held.take(count);
  const bytes = (of: (output: RunnerOutput) => number) =>
    released.reduce((sum, { output }) => sum + of(output), 0);
  return {
    hold: {
      held: hold.held.drop(count),
      heldBytes: hold.heldBytes - bytes(consoleBytes),
      heldEgressBytes: hold.heldEgressBytes - bytes(egressBytes),
      released: Math.max(hold.released, released.at(-1)?.index ?? -1),
    },
    released,
  };
}

function consoleBytes(output: RunnerOutput): number {
  return output.kind === "console" ? output.bytes.length : 0;
}

function egressBytes(output: RunnerOutput): number {
  if (output.kind !== "egress") return 0;
  return bytesIn(output.frames);
}
