/**
 * A small machine for tests and the simulator. It echoes what is typed, counts, and prints a line
 * when its timer is due. Its outputs depend on every input and time it was ever given. Like the
 * real one it has state that no snapshot carries (`warmth`, as a TLB has) and that shows in its
 * outputs: a machine that ran on prints something else than one that moved.
 */
import { createHash } from "node:crypto";
import { crc32c } from "../src/shared/crc32c.ts";
import type { SnapshotSource, SnapshotTarget } from "../src/vm-runner/machine/machine.ts";
import {
  type ConsoleHistory,
  type Machine,
  type MachineOutput,
  MachineTrap,
  type RegisterChecks,
  registerNames,
  type StepResult,
  windowBytes,
} from "../src/vm-runner/machine/machine.ts";
import type { IncrementalHash } from "../src/vm-runner/replay/frozen-state.ts";
import type { LogEntry } from "../src/vm-runner/replay/log-entry.ts";

const timerUs = 4_000;
const historyBytes = 64 * 1024;

interface State {
  steps: number;
  timeUs: number;
  timerAtUs: number;
  digest: number;
  printed: number;
  computing: number;
  off: boolean;
  writers: [number, number][];
}

/**
 * What the console understands: "C" computes for some steps, "P" powers off, "T" traps; anything
 * is echoed with the digest of all inputs so far.
 */
export class FakeMachine implements Machine {
  readonly memory: Uint8Array;
  /** Set to make the next `move` or `prepareSpare` fail. */
  failMove = false;
  failSpare = false;
  spareReady = false;
  awaitsPersonality = false;
  readonly consoleInputRoom = 4_096;
  /** Steps since this instance began: no snapshot carries it. */
  #warmth = 0;
  #state: State = fresh();
  #typed: number[] = [];
  #history: number[] = [];

  constructor(memoryBytes = 4 * windowBytes) {
    this.memory = new Uint8Array(memoryBytes);
  }

  /** A machine in the state of a snapshot. */
  static restored(memory: Uint8Array, devices: Uint8Array): FakeMachine {
    const machine = new FakeMachine(0);
    Object.assign(machine, { memory });
    machine.#load(devices);
    return machine;
  }

  step(entry: LogEntry): StepResult {
    this.deliver(entry);
    return this.run();
  }

  deliver(entry: LogEntry): void {
    const state = this.#state;
    state.timeUs = entry.timeUs;
    this.#mix(entry.timeUs);
    for (const input of entry.inputs) {
      if (input.kind === "start") this.#mix(crc32c(input.seed));
      if (input.kind === "console") this.#type(input.writer, input.position, input.bytes);
    }
  }

  run(): StepResult {
    const state = this.#state;
    state.steps++;
    this.#warmth++;
    if (state.computing > 0) state.computing--;
    this.#mix(state.steps);
    const text = this.#typed.length > 0 ? this.#echo() : this.#onTimer();
    const place = (state.steps * 97) % this.memory.length;
    this.memory[place] = (this.memory[place] ?? 0) ^ (state.digest & 0xff);
    const idle = state.computing === 0;
    return {
      outputs: text === "" ? [] : [this.#print(text)],
      idle,
      wakeUs: idle ? Math.max(0, state.timerAtUs - state.timeUs) : 0,
      endUs: state.timeUs + 3,
      poweredOff: state.off,
    };
  }

  registers(): RegisterChecks {
    const bytes = new TextEncoder().encode(JSON.stringify([this.#state, this.#warmth]));
    const folded = new Uint8Array(registerNames.length);
    folded[0] = this.#state.digest & 0xff;
    folded[8] = this.#state.steps & 0xff;
    folded[10] = this.#warmth & 0xff;
    folded[11] = this.#state.printed & 0xff;
    return { all: crc32c(bytes), folded };
  }

  windowChecksum(number: number): number {
    const windows = Math.ceil(this.memory.length / windowBytes);
    const start = (number % windows) * windowBytes;
    return crc32c(this.memory.subarray(start, start + windowBytes));
  }

  consoleHistory(): ConsoleHistory {
    const bytes = Uint8Array.from(this.#history);
    return { position: this.#state.printed - bytes.length, bytes };
  }

  writerPosition(writer: number): number {
    return this.#state.writers.find(([known]) => known === writer)?.[1] ?? 0;
  }

  async prepareSpare(): Promise<void> {
    await Promise.resolve();
    if (this.failSpare) throw new Error("no memory for a spare");
    this.spareReady = true;
  }

  async move(): Promise<SnapshotSource> {
    await Promise.resolve();
    if (this.failMove) throw new Error("the copy differs");
    if (!this.spareReady) throw new Error("there is no spare");
    this.spareReady = false;
    const memory = this.memory.slice();
    const devices = this.#save();
    this.#load(devices);
    return {
      devices,
      memoryBytes: memory.length,
      read: (offset, length) => memory.slice(offset, offset + length),
      release: () => {},
    };
  }

  /** Everything, for comparison: also what a snapshot does not carry. */
  fingerprint(): string {
    const hash = createHash("sha256").update(this.memory);
    return hash.update(JSON.stringify([this.#state, this.#warmth, this.#typed])).digest("hex");
  }

  #type(writer: number, position: number, bytes: Uint8Array): void {
    const known = this.writerPosition(writer);
    const fresh = bytes.slice(Math.max(0, known - position));
    this.#typed.push(...fresh);
    this.#mix(crc32c(fresh));
    const others = this.#state.writers.filter(([other]) => other !== writer);
    this.#state.writers = [...others, [writer, Math.max(known, position + bytes.length)]];
  }

  #echo(): string {
    const typed = String.fromCharCode(...this.#typed);
    this.#typed = [];
    if (typed.includes("T")) throw new MachineTrap("the guest divided by zero");
    if (typed.includes("P")) this.#state.off = true;
    if (typed.includes("C")) this.#state.computing = 40;
    return `${typed}:${this.#state.digest}:${this.#warmth}\n`;
  }

  #onTimer(): string {
    const state = this.#state;
    if (state.timeUs < state.timerAtUs) return "";
    state.timerAtUs = state.timeUs + timerUs;
    return state.steps % 5 === 0 ? `tick ${state.steps} ${this.#warmth}\n` : "";
  }

  #print(text: string): MachineOutput {
    const bytes = new TextEncoder().encode(text);
    const position = this.#state.printed;
    this.#state.printed += bytes.length;
    this.#mix(crc32c(bytes));
    this.#history = [...this.#history, ...bytes].slice(-historyBytes);
    return { kind: "console", position, bytes };
  }

  #mix(value: number): void {
    this.#state.digest = crc32c(new Uint8Array(Float64Array.of(this.#state.digest, value).buffer));
  }

  #save(): Uint8Array {
    const saved = [this.#state, this.#typed, this.#history];
    return new TextEncoder().encode(JSON.stringify(saved));
  }

  #load(devices: Uint8Array): void {
    [this.#state, this.#typed, this.#history] = JSON.parse(new TextDecoder().decode(devices));
    this.#warmth = 0;
  }
}

/** Receives a snapshot into a fake machine. */
export async function newFakeTarget(memoryBytes: number): Promise<SnapshotTarget> {
  const memory = new Uint8Array(memoryBytes);
  return {
    write: (offset, bytes) => memory.set(bytes, offset),
    finish: async (devices) => FakeMachine.restored(memory, devices),
  };
}

export function newSha256(): IncrementalHash {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => new Uint8Array(hash.digest()),
  };
}

function fresh(): State {
  const zero = { steps: 0, timeUs: 0, timerAtUs: timerUs, digest: 0, printed: 0, computing: 0 };
  return { ...zero, off: false, writers: [] };
}
