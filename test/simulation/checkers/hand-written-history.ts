/** Histories written by hand, for the tests of the checkers: short events with what matters. */
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { MachineOutput } from "../../../src/vm-runner/machine/machine.ts";
import type { LogInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { ExecutedStep, Happening, SimEvent } from "../events.ts";
import { encodeFrame } from "../machine/frames.ts";
import type { Checker, Outcome } from "./checker.ts";

export const bytes = (text: string) => new TextEncoder().encode(text);

/** A step whose chain is 10 times (index + 1), on branch `branch`; it prints `text`. */
export interface StepShape {
  readonly index: number;
  readonly text?: string;
  readonly position?: number;
  readonly inputs?: readonly LogInput[];
  readonly branch?: number;
  readonly parent?: number;
  readonly fingerprint?: number;
  /** Frames that it sends, each with its number and this state. */
  readonly sends?: readonly (readonly [number: number, state: string])[];
  /** Serial numbers of the frames that the guest is given. */
  readonly takes?: readonly number[];
}

function step(shape: StepShape): ExecutedStep {
  const { index, text = "", position = 0, inputs = [], branch = 0 } = shape;
  const { parent = index === 0 ? 0 : 10 * index + branch, fingerprint = 7 * index } = shape;
  const { sends = [], takes = [] } = shape;
  const outputs: MachineOutput[] = [];
  if (text !== "") outputs.push({ kind: "console", position, bytes: bytes(text) });
  const frames = sends.map(([number, state]) => sentFrame(number, state));
  if (sends[0] !== undefined) outputs.push({ kind: "egress", first: sends[0][0], frames });
  const entry = { index, timeUs: 1_000 * index, inputs };
  return {
    entry,
    chain: chainOf(index, branch),
    parent,
    fingerprint,
    outputs,
    taken: takes.map(noise),
  };
}

/** A frame of the guest. */
export const sentFrame = (number: number, state = "state") =>
  encodeFrame({ kind: "sent", number, request: null, state });

/** A frame for the guest. */
export const noise = (serial: number) => encodeFrame({ kind: "noise", serial });

const chainOf = (index: number, branch = 0) => 10 * (index + 1) + branch;

export const executed = (process: Nonce, shape: StepShape): Happening => ({
  kind: "executed",
  process,
  step: step(shape),
});

export const recorded = (process: Nonce, first: number, count = 1): Happening => ({
  kind: "recorded",
  process,
  batch: { first, count, timeUs: 0, bytes: bytes("") },
});

export const received = (process: Nonce, first: number, count = 1): Happening => ({
  kind: "received",
  process,
  batch: { first, count, timeUs: 0, bytes: bytes("") },
});

export const restored = (process: Nonce, first: number): Happening => ({
  kind: "restored",
  process,
  first,
  chain: chainOf(first),
});

export const lived = (process: Nonce, epoch: number, next: number, branch = 0): Happening => ({
  kind: "lived",
  process,
  epoch,
  next,
  chain: next === 0 ? 0 : chainOf(next - 1, branch),
});

export const printed = (
  process: Nonce,
  epoch: number,
  index: number,
  position: number,
  text: string,
): Happening => ({
  kind: "released",
  process,
  epoch,
  index,
  output: { kind: "console", position, bytes: bytes(text) },
});

export const record = (
  epoch: number,
  primary: Nonce | null,
  backup: Nonce | null = null,
): VmRecord => ({ vm: "vm-1", epoch, primary, backup, takeovers: 0 });

export const granted = (
  epoch: number,
  primary: Nonce | null,
  backup: Nonce | null = null,
): Happening => ({ kind: "granted", record: record(epoch, primary, backup) });

export const ended = (
  process: Nonce,
  reason: (Happening & { kind: "ended" })["reason"],
): Happening => ({ kind: "ended", process, node: process.charAt(0), reason, message: "bye" });

export const typed = (writer: number, position: number, text: string): Happening => ({
  kind: "typed",
  writer,
  position,
  bytes: bytes(text),
});

/** Shows the events to the checker one after the other, a millisecond each; then the run ends. */
export function audit(checker: Checker, happenings: readonly Happening[], end?: Partial<Outcome>) {
  for (const [i, happening] of happenings.entries()) {
    const event: SimEvent = { atMs: i, ...happening };
    checker.observe(event);
  }
  if (end === undefined) return;
  const outcome = { ending: "goes on" as const, record: record(1, "a1"), alive: ["a1"] };
  checker.finish({ ...outcome, describe: () => "the world in words", ...end });
}
