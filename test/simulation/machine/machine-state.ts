/** The state of the simulated machine that a snapshot carries, and its form there. */
import type { ByteReader, ByteWriter } from "../../../src/shared/bytes.ts";
import type { LogEntry, LogInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Chain } from "../events.ts";
import { type CardState, freshCard } from "./card.ts";
import type { Echo } from "./echoes.ts";
import type { Hash } from "./hash.ts";

export interface GuestState {
  steps: number;
  timeUs: number;
  timerAtUs: number;
  /** Timers that came due. */
  timers: number;
  /** Of every input and time ever given, and of all that was printed. */
  digest: number;
  /** Bytes. */
  printed: number;
  /** Steps that it still computes. */
  computing: number;
  burstLeft: number;
  off: boolean;
  /** Delivered, and not echoed before the step runs. */
  typed: Echo[];
  card: CardState;
  /** From here on for the checkers only: the last entry delivered, the chain with and before it. */
  chain: Chain;
  parent: Chain;
  entry: LogEntry | null;
  /** Frames that the card took of it. */
  taken: readonly Uint8Array[];
  /** The machine moved after that entry was delivered. */
  moved: boolean;
}

/** Before the first entry. */
export function freshState(timerUs: number): GuestState {
  return {
    steps: 0,
    timeUs: 0,
    timerAtUs: timerUs,
    timers: 0,
    digest: 0,
    printed: 0,
    computing: 0,
    burstLeft: 0,
    off: false,
    typed: [],
    card: freshCard(),
    chain: 0,
    parent: 0,
    entry: null,
    taken: [],
    moved: false,
  };
}

/** The chain that `entry` makes of `parent`. */
export function chainOf(hash: Hash, parent: Chain, entry: LogEntry): Chain {
  hash.begin(parent).add(entry.index).add(entry.timeUs);
  for (let i = 0; i < entry.inputs.length; i++) {
    const input = entry.inputs[i];
    if (input !== undefined) hashInput(hash, input);
  }
  return hash.value;
}

/** The chain of an entry with which the machine moved: what comes after depends on it. */
export function movedChain(hash: Hash, chain: Chain): Chain {
  return hash.begin(chain).add(5).value;
}

/** Without the snapshot input: the recorder adds it after it has delivered the entry. */
function hashInput(hash: Hash, input: LogInput): void {
  switch (input.kind) {
    case "console":
      hash.add(1).add(input.writer).add(input.position).bytes(input.bytes);
      return;
    case "ingress":
      hash.add(6).add(input.gateway).add(input.first).add(input.frames.length);
      for (const frame of input.frames) hash.bytes(frame);
      return;
    case "start":
      hash.add(2).bytes(input.seed).bytes(input.mac).add(input.wallClockMs);
      return;
    case "stateHash":
      hash.add(3).add(input.snapshot).bytes(input.hash);
      return;
    case "powerOff":
      hash.add(4);
      return;
    case "snapshot":
      return;
  }
}

/** The entry as the log has it: it says that the machine moved, if and only if it did. */
export function asExecuted(entry: LogEntry, moved: boolean): LogEntry {
  if (entry.inputs.length === 0 && !moved) return entry;
  const inputs = entry.inputs.filter(({ kind }) => kind !== "snapshot");
  if (moved) return { ...entry, inputs: [...inputs, { kind: "snapshot" }] };
  return inputs.length === entry.inputs.length ? entry : { ...entry, inputs };
}

/** Rare, so it may be slow: JSON, with its length before it. */
export function writeGuest(writer: ByteWriter, state: GuestState): void {
  const { entry } = state;
  const inputs = entry?.inputs.filter(({ kind }) => kind !== "snapshot") ?? [];
  const logged = entry === null ? null : { ...entry, inputs };
  const text = JSON.stringify({ ...state, entry: logged, moved: false }, bytesAsNumbers);
  const bytes = new TextEncoder().encode(text);
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

export function readGuest(reader: ByteReader): GuestState {
  const bytes = reader.bytes(reader.varint());
  return JSON.parse(new TextDecoder().decode(bytes), numbersAsBytes);
}

function bytesAsNumbers(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { bytesOf: [...value] } : value;
}

function numbersAsBytes(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("bytesOf" in value)) return value;
  // SAFETY: only bytesAsNumbers writes this name.
  return Uint8Array.from(value.bytesOf as number[]);
}
