/**
 * A small machine for the simulator and the executor's tests. It echoes what is typed, counts,
 * prints a line at some of its timers, and computes, prints a lot, powers off or traps when it is
 * told to; and it answers frames and sends some by itself. Its outputs depend on every input and time it was ever given, and like those of the
 * real one on state that no snapshot carries (as a TLB): a machine that ran on prints something
 * else than one that moved into a fresh instance. Its steps allocate next to nothing.
 */
import { assert } from "../../../src/shared/assert.ts";
import { ByteReader, ByteWriter } from "../../../src/shared/bytes.ts";
import { crc32c } from "../../../src/shared/crc32c.ts";
import { ConsoleWriters } from "../../../src/vm-runner/devices/console/writers.ts";
import type { SnapshotSource } from "../../../src/vm-runner/machine/machine.ts";
import {
  type ConsoleHistory,
  type ConsoleOutput,
  type EgressOutput,
  type IngressPosition,
  type Machine,
  type MachineOutput,
  MachineTrap,
  type RegisterChecks,
  registerNames,
  type StepResult,
  windowBytes,
} from "../../../src/vm-runner/machine/machine.ts";
import type {
  ConsoleInput,
  IngressInput,
  LogEntry,
} from "../../../src/vm-runner/replay/log-entry.ts";
import type { Chain, ExecutedStep } from "../events.ts";
import type { GuestShape } from "../scenario.ts";
import { burstPiece } from "./burst.ts";
import { hashCard, ringFrames, sendFrames, takeFrames } from "./card.ts";
import { echoLine, hashEcho } from "./echoes.ts";
import { encodeFrame } from "./frames.ts";
import { cellHash, Hash, memoryHash, mixed } from "./hash.ts";
import {
  asExecuted,
  chainOf,
  freshState,
  type GuestState,
  movedChain,
  readGuest,
  writeGuest,
} from "./machine-state.ts";
import { PrintedBytes } from "./printed-bytes.ts";
import { sourceOf } from "./snapshot-source.ts";
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
  timersPerFrames: 0,
};
const computingSteps = 40;
/** Timers from one printed line to the next. */
const timersPerLine = 5;
/** It sends up to so many frames that nobody asked for at once. */
const unaskedFramesMax = 3;
const nothing: readonly MachineOutput[] = [];
const noFrames: readonly Uint8Array[] = [];

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

  get ingressRoom(): number {
    return ringFrames - this.#state.card.ring.length;
  }

  get ingress(): IngressPosition | null {
    return this.#state.card.position;
  }

  /** Its card has an address from entry 0 on. */
  get announcement(): Uint8Array | null {
    return this.#state.entry === null ? null : encodeFrame({ kind: "announcement" });
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
    state.taken = noFrames;
    this.#mix(entry.timeUs);
    for (let i = 0; i < entry.inputs.length; i++) {
      const input = entry.inputs[i];
      if (input?.kind === "start") this.#mix(crc32c(input.seed));
      if (input?.kind === "console") this.#type(input);
      if (input?.kind === "ingress") this.#receive(input);
    }
  }

  run(): StepResult {
    const state = this.#state;
    state.steps++;
    if (state.computing > 0) state.computing--;
    this.#mix(state.steps);
    this.#warmth.step(state.digest);
    const timerCame = this.#takeTimer();
    const text = this.#echo() + this.#burst() + (timerCame ? this.#onTimer() : "");
    const printed = text === "" ? nothing : [this.#print(text)];
    const sent = this.#send(timerCame);
    const outputs = sent === null ? printed : [...printed, sent];
    this.#touchMemory();
    if (this.#options.watch !== undefined) this.#tell(this.#options.watch, outputs);
    const idle = state.computing === 0 && state.burstLeft === 0 && state.card.ring.length === 0;
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
    const piece = burstPiece(state.burstLeft, this.#warmth.bits);
    state.burstLeft -= piece.length;
    return piece;
  }

  /** Whether the timer came due; then the next one is set. */
  #takeTimer(): boolean {
    const state = this.#state;
    if (state.timeUs < state.timerAtUs) return false;
    state.timerAtUs = state.timeUs + this.#options.timerUs;
    state.timers++;
    return true;
  }

  #receive(input: IngressInput): void {
    const state = this.#state;
    const taken = takeFrames(state.card, input);
    if (taken.length === 0) return;
    state.taken = state.taken.length === 0 ? taken : [...state.taken, ...taken];
    for (const frame of taken) this.#mix(crc32c(frame));
  }

  #send(timerCame: boolean): EgressOutput | null {
    const { timersPerFrames } = this.#options;
    const { timers, card, digest } = this.#state;
    const due = timerCame && timersPerFrames > 0 && timers % timersPerFrames === 0;
    const unasked = due ? 1 + ((digest >>> 4) % unaskedFramesMax) : 0;
    if (unasked === 0 && card.ring.length === 0) return null;
    const before = card.sent;
    const state = () => `${(digest >>> 0).toString(16)}.${this.#warmth.bits.toString(16)}`;
    const output = sendFrames(card, unasked, state);
    this.#mix(card.sent - before);
    return output;
  }

  #onTimer(): string {
    const state = this.#state;
    if (state.timers % timersPerLine !== 0) return "";
    return `tick ${state.steps} ${this.#warmth.bits.toString(16)}\n`;
  }

  #print(text: string): ConsoleOutput {
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
    const { entry, moved, chain, parent, taken } = this.#state;
    assert(entry !== null, "an entry is delivered before its step runs");
    watch({
      entry: asExecuted(entry, moved),
      chain,
      parent,
      fingerprint: this.fingerprint,
      outputs,
      taken,
    });
  }

  /** Begins a hash with all that a snapshot carries but memory. */
  #hashState(): Hash {
    const state = this.#state;
    const hash = this.#hash.begin(0).add(state.digest).add(state.steps).add(state.timeUs);
    hash.add(state.timerAtUs).add(state.timers).add(state.printed).add(state.computing);
    hash.add(state.burstLeft).add(state.off ? 1 : 0);
    for (let i = 0; i < state.typed.length; i++) hashEcho(hash, state.typed[i]);
    hashCard(hash, state.card);
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
