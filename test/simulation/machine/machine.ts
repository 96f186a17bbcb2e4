/**
 * A small machine for the simulator and the executor's tests. It echoes what is typed, counts,
 * prints a line at some of its timers, and computes, prints a lot, powers off or traps when it is
 * told to. Its outputs depend on every input and time it was ever given, and like those of the
 * real one on state that no snapshot carries (as a TLB): a machine that ran on prints something
 * else than one that moved into a fresh instance. Its steps allocate next to nothing.
 */
import { assert } from "../../../src/shared/assert.ts";
import { ByteReader, ByteWriter } from "../../../src/shared/bytes.ts";
import { crc32c } from "../../../src/shared/crc32c.ts";
import { ConsoleWriters } from "../../../src/vm-runner/devices/console/writers.ts";
import type { SnapshotSource, SnapshotTarget } from "../../../src/vm-runner/machine/machine.ts";
import {
  type ConsoleHistory,
  type Machine,
  type MachineOutput,
  MachineTrap,
  type RegisterChecks,
  registerNames,
  type StepResult,
  windowBytes,
} from "../../../src/vm-runner/machine/machine.ts";
import type { ConsoleInput, LogEntry } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Chain, ExecutedStep } from "../events.ts";
import type { GuestShape } from "../scenario.ts";
import { type Echo, echoLine } from "./echoes.ts";
import { cellHash, Hash, memoryHash, mixed } from "./hash.ts";
import {
  chainOf,
  freshState,
  type GuestState,
  movedChain,
  readGuest,
  writeGuest,
} from "./machine-state.ts";
import { PrintedBytes } from "./printed-bytes.ts";
import { Warmth } from "./warmth.ts";

export interface MachineOptions extends GuestShape {
  /** Told of each step after it ran; a step that traps is not one. */
  readonly watch?: (step: ExecutedStep) => void;
  /** Resolves when an instance was made, or moved into; at once without it. */
  readonly ready?: () => Promise<void>;
  /** Asked at each move: whether it fails. */
  readonly fails?: () => boolean;
}

const defaults: MachineOptions = {
  memoryBytes: 4 * windowBytes,
  timerUs: 4_000,
  burstBytes: 8_192,
};
/** The console prints at most this much of a burst in one step. */
const burstPieceBytes = 4_096;
const burstRowBytes = 64;
const computingSteps = 40;
/** Timers from one printed line to the next. */
const timersPerLine = 5;
const nothing: readonly MachineOutput[] = [];

export class SimulatedMachine implements Machine {
  /** Set to make the next `move` or `prepareSpare` fail. */
  failMove = false;
  failSpare = false;
  spareReady = false;
  readonly awaitsPersonality = false;
  readonly consoleInputRoom = 4_096;
  readonly #options: MachineOptions;
  readonly #hash = new Hash();
  #memory: Uint8Array;
  #memoryHash = 0;
  #state: GuestState;
  #writers = new ConsoleWriters();
  #history = new PrintedBytes();
  #warmth = new Warmth();

  constructor(options: Partial<MachineOptions> = {}) {
    this.#options = { ...defaults, ...options };
    this.#memory = new Uint8Array(this.#options.memoryBytes);
    this.#state = freshState(this.#options.timerUs);
  }

  /** A machine in the state of a snapshot; it goes on in `memory` itself. */
  static restored(
    options: Partial<MachineOptions>,
    memory: Uint8Array,
    devices: Uint8Array,
  ): SimulatedMachine {
    const machine = new SimulatedMachine({ ...options, memoryBytes: 0 });
    machine.#load(memory, devices);
    return machine;
  }

  get memory(): Uint8Array {
    return this.#memory;
  }

  /** Of all entries delivered so far; kept for the checkers, and nothing of the guest reads it. */
  get chain(): Chain {
    return this.#state.chain;
  }

  /** Of the whole state, hidden state included; memory counts as what was written to it. */
  get fingerprint(): number {
    this.#hashState().add(this.#memoryHash);
    this.#warmth.addTo(this.#hash);
    return this.#hash.value;
  }

  /** The same of every byte of memory, console history and hidden state as it is now. */
  wholeFingerprint(): number {
    const writers = new ByteWriter();
    this.#writers.save(writers);
    this.#hashState().add(memoryHash(this.#memory)).bytes(writers.finish());
    this.#hash.bytes(this.consoleHistory().bytes);
    this.#warmth.addWholeTo(this.#hash);
    return this.#hash.value;
  }

  step(entry: LogEntry): StepResult {
    this.deliver(entry);
    return this.run();
  }

  deliver(entry: LogEntry): void {
    const state = this.#state;
    state.parent = state.chain;
    state.chain = chainOf(this.#hash, state.parent, entry);
    state.entry = entry;
    state.moved = false;
    state.timeUs = entry.timeUs;
    this.#mix(entry.timeUs);
    for (let i = 0; i < entry.inputs.length; i++) {
      const input = entry.inputs[i];
      if (input?.kind === "start") this.#mix(crc32c(input.seed));
      if (input?.kind === "console") this.#type(input);
    }
  }

  run(): StepResult {
    const state = this.#state;
    state.steps++;
    if (state.computing > 0) state.computing--;
    this.#mix(state.steps);
    this.#warmth.step(state.digest);
    const text = this.#echo() + this.#burst() + this.#onTimer();
    const outputs = text === "" ? nothing : [this.#print(text)];
    this.#touchMemory();
    if (this.#options.watch !== undefined) this.#tell(this.#options.watch, outputs);
    const idle = state.computing === 0 && state.burstLeft === 0;
    return {
      outputs,
      idle,
      wakeUs: idle ? Math.max(0, state.timerAtUs - state.timeUs) : 0,
      endUs: state.timeUs + 3,
      poweredOff: state.off,
    };
  }

  registers(): RegisterChecks {
    const { digest, steps, printed } = this.#state;
    const folded = new Uint8Array(registerNames.length);
    for (let i = 0; i < 4; i++) folded[i] = digest >>> (8 * i);
    folded[8] = steps;
    folded[10] = steps >>> 8;
    folded[11] = printed;
    return { all: this.#hashState().value % 2 ** 32, folded };
  }

  windowChecksum(number: number): number {
    const windows = Math.ceil(this.#memory.length / windowBytes);
    const start = (number % windows) * windowBytes;
    return crc32c(this.#memory.subarray(start, start + windowBytes));
  }

  consoleHistory(): ConsoleHistory {
    return this.#history.last;
  }

  writerPosition(writer: number): number {
    return this.#writers.position(writer);
  }

  async prepareSpare(): Promise<void> {
    await this.#options.ready?.();
    if (this.failSpare) throw new Error("no memory for a spare");
    this.spareReady = true;
  }

  async move(): Promise<SnapshotSource> {
    await this.#options.ready?.();
    if (this.failMove || this.#options.fails?.()) throw new Error("the copy differs");
    if (!this.spareReady) throw new Error("there is no spare");
    this.spareReady = false;
    return this.moveNow();
  }

  /** Goes on in a copy of memory and devices, as a restored machine does. */
  moveNow(): SnapshotSource {
    const frozen = this.#memory;
    const devices = this.#save();
    this.#load(frozen.slice(), devices);
    return sourceOf(frozen, devices);
  }

  #type(input: ConsoleInput): void {
    const bytes = this.#writers.take(input, this.consoleInputRoom);
    if (bytes.length === 0) return;
    const { typed } = this.#state;
    const { writer } = input;
    const position = this.#writers.position(writer) - bytes.length;
    let text = "";
    for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0);
    this.#mix(writer);
    this.#mix(position);
    this.#mixText(text);
    const at = typed.findIndex(
      (other) => other.writer === writer && other.position + other.text.length === position,
    );
    const before = typed[at];
    if (before === undefined) typed.push({ writer, position, text });
    else typed[at] = { ...before, text: before.text + text };
  }

  #echo(): string {
    const { typed } = this.#state;
    if (typed.length === 0) return "";
    for (const { text } of typed) this.#obey(text);
    let lines = "";
    for (const echo of typed) lines += echoLine(echo, this.#state.digest, this.#warmth.bits);
    typed.length = 0;
    return lines;
  }

  #obey(text: string): void {
    const state = this.#state;
    for (let i = 0; i < text.length; i++) {
      const command = text[i];
      if (command === "T") throw new MachineTrap("the guest divided by zero");
      if (command === "P") state.off = true;
      if (command === "C") state.computing = computingSteps;
      if (command === "B") state.burstLeft += this.#options.burstBytes;
    }
  }

  /** Whole lines in each step, so that an echo never begins inside one. */
  #burst(): string {
    const state = this.#state;
    if (state.burstLeft === 0) return "";
    const size = Math.min(state.burstLeft, burstPieceBytes);
    const row = `burst ${state.burstLeft} ${this.#warmth.bits.toString(16)}`;
    state.burstLeft -= size;
    const rows = `${row.padEnd(burstRowBytes - 1, ".")}\n`.repeat(Math.ceil(size / burstRowBytes));
    return `${rows.slice(0, size - 1)}\n`;
  }

  #onTimer(): string {
    const state = this.#state;
    if (state.timeUs < state.timerAtUs) return "";
    state.timerAtUs = state.timeUs + this.#options.timerUs;
    state.timers++;
    if (state.timers % timersPerLine !== 0) return "";
    return `tick ${state.steps} ${this.#warmth.bits.toString(16)}\n`;
  }

  #print(text: string): MachineOutput {
    const state = this.#state;
    const position = state.printed;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    state.printed += bytes.length;
    this.#mixText(text);
    this.#history.append(bytes);
    return { kind: "console", position, bytes };
  }

  #touchMemory(): void {
    const { digest } = this.#state;
    const memory = this.#memory;
    const place = (Math.imul(digest, 0x85ebca6b) >>> 0) % memory.length;
    const old = memory[place] ?? 0;
    const byte = old ^ (digest & 0xff);
    memory[place] = byte;
    this.#memoryHash = (this.#memoryHash - cellHash(place, old) + cellHash(place, byte)) | 0;
  }

  #tell(watch: (step: ExecutedStep) => void, outputs: readonly MachineOutput[]): void {
    const { entry, moved, chain, parent } = this.#state;
    assert(entry !== null, "an entry is delivered before its step runs");
    watch({
      entry: asExecuted(entry, moved),
      chain,
      parent,
      fingerprint: this.fingerprint,
      outputs,
    });
  }

  /** Begins a hash with all that a snapshot carries but memory. */
  #hashState(): Hash {
    const state = this.#state;
    const hash = this.#hash.begin(0).add(state.digest).add(state.steps).add(state.timeUs);
    hash.add(state.timerAtUs).add(state.timers).add(state.printed).add(state.computing);
    hash.add(state.burstLeft).add(state.off ? 1 : 0);
    for (let i = 0; i < state.typed.length; i++) hashEcho(hash, state.typed[i]);
    return hash;
  }

  #mix(value: number): void {
    this.#state.digest = mixed(this.#state.digest, value | 0);
  }

  #mixText(text: string): void {
    let { digest } = this.#state;
    for (let i = 0; i < text.length; i++) digest = mixed(digest, text.charCodeAt(i));
    this.#state.digest = digest;
  }

  #save(): Uint8Array {
    const writer = new ByteWriter();
    writeGuest(writer, this.#state);
    this.#writers.save(writer);
    writer.bytes(this.consoleHistory().bytes);
    return writer.finish();
  }

  #load(memory: Uint8Array, devices: Uint8Array): void {
    const reader = new ByteReader(devices);
    const saved = readGuest(reader);
    this.#state = { ...saved, chain: movedChain(this.#hash, saved.chain), moved: true };
    this.#writers = new ConsoleWriters();
    this.#writers.restore(reader);
    const history = reader.bytes(reader.remaining);
    const position = this.#state.printed - history.length;
    this.#history = new PrintedBytes({ position, bytes: history });
    this.#memory = memory;
    this.#memoryHash = memoryHash(memory);
    this.#warmth = new Warmth();
  }
}

/** Where snapshots are received; `onMachine` is given each machine made of one. */
export function newTarget(
  options: Partial<MachineOptions> = {},
  onMachine: (machine: SimulatedMachine) => void = () => {},
): (memoryBytes: number) => Promise<SnapshotTarget> {
  return async (memoryBytes) => {
    await options.ready?.();
    const memory = new Uint8Array(memoryBytes);
    return {
      write: (offset, bytes) => memory.set(bytes, offset),
      finish: async (devices) => {
        const machine = SimulatedMachine.restored(options, memory, devices);
        onMachine(machine);
        return machine;
      },
    };
  };
}

function sourceOf(memory: Uint8Array, devices: Uint8Array): SnapshotSource {
  let released = false;
  return {
    devices,
    memoryBytes: memory.length,
    read: (offset, length) => {
      assert(!released, "a snapshot that was let go is not read");
      return memory.slice(offset, offset + length);
    },
    release: () => {
      released = true;
    },
  };
}

function hashEcho(hash: Hash, echo: Echo | undefined): void {
  if (echo !== undefined) hash.add(echo.writer).add(echo.position).text(echo.text);
}

/** The entry as the log has it: it says that the machine moved, if and only if it did. */
function asExecuted(entry: LogEntry, moved: boolean): LogEntry {
  if (entry.inputs.length === 0 && !moved) return entry;
  const inputs = entry.inputs.filter(({ kind }) => kind !== "snapshot");
  if (moved) return { ...entry, inputs: [...inputs, { kind: "snapshot" }] };
  return inputs.length === entry.inputs.length ? entry : { ...entry, inputs };
}
