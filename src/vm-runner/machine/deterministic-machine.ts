/**
 * The real machine: log entries in, outputs out, on v86. All that it depends on is in the entries
 * and in its state; all of its state is the WebAssembly memory and the devices part of a snapshot.
 */
import { assert } from "../../shared/assert.ts";
import { crc32c } from "../../shared/crc32c.ts";
import type { LogEntry, StartInput } from "../replay/log-entry.ts";
import {
  type ConsoleHistory,
  type IngressPosition,
  type Machine,
  MachineTrap,
  type RegisterChecks,
  type SnapshotSource,
  type SnapshotTarget,
  type StepResult,
  windowBytes,
} from "./machine.ts";
import { Peripherals } from "./peripherals.ts";
import { readRegisters } from "./registers.ts";
import { decodeDevices, encodeDevices } from "./snapshot-format.ts";
import { type Firmware, V86Instance } from "./v86.ts";

/** What the host adds: a turn of the event loop, so that preparing a spare does not stop the VM. */
export type Breathe = () => Promise<void>;

/** The real machine lets its whole state be looked at; hashing it is how determinism is proven. */
export interface InspectableMachine extends Machine {
  /** The whole WebAssembly memory (a view, valid until the next step) and the devices of ours. */
  wholeState(): readonly Uint8Array[];
}

export interface InspectableTarget extends SnapshotTarget {
  finish(devices: Uint8Array): Promise<InspectableMachine>;
}

/** Offsets in v86's memory (`global_pointers.rs`). */
const inHltOffset = 616;
const flagsOffset = 120;
const interruptFlag = 0x200;

/** The shortest sleep, so that rounding of a timer never makes the guest spin. */
const sleepUsMin = 50;
const pageBytes = 65_536;
const touchBytes = 4_096;
const sampleDistanceBytes = 16_381;
/** Memory touched in one go while a spare is prepared: below a millisecond. */
const touchChunkBytes = 2 * 2 ** 20;

/** A machine before its first step. */
export async function createDeterministicMachine(
  firmware: Firmware,
  breathe: Breathe,
): Promise<InspectableMachine> {
  const instance = await V86Instance.create(firmware);
  return new DeterministicMachine(firmware, breathe, instance, new Peripherals());
}

/** A machine to be restored from a snapshot with `memoryBytes` of memory. */
export async function createSnapshotTarget(
  firmware: Firmware,
  breathe: Breathe,
  memoryBytes: number,
): Promise<InspectableTarget> {
  const instance = await V86Instance.create(firmware);
  // The memory waits beside the instance: restoring the devices writes to the instance's own.
  const memory = new Uint8Array(memoryBytes);
  let written = 0;
  return {
    write(offset, bytes) {
      assert(offset === written, `bytes at ${offset} of a snapshot instead of ${written}`);
      assert(offset + bytes.length <= memoryBytes, `the snapshot is longer than ${memoryBytes}`);
      memory.set(bytes, offset);
      written += bytes.length;
    },
    async finish(devices) {
      assert(written === memoryBytes, `the snapshot ends at ${written} instead of ${memoryBytes}`);
      const peripherals = await restore(instance, devices, memory);
      return new DeterministicMachine(firmware, breathe, instance, peripherals);
    },
  };
}

class DeterministicMachine implements InspectableMachine {
  readonly #firmware: Firmware;
  readonly #breathe: Breathe;
  #instance: V86Instance;
  #peripherals: Peripherals;
  #spare: V86Instance | null = null;
  #memory: Uint8Array;
  #isTrapped = false;

  constructor(
    firmware: Firmware,
    breathe: Breathe,
    instance: V86Instance,
    peripherals: Peripherals,
  ) {
    this.#firmware = firmware;
    this.#breathe = breathe;
    this.#instance = instance;
    this.#peripherals = peripherals;
    this.#memory = memoryOf(instance);
    instance.attach(peripherals);
  }

  get spareReady(): boolean {
    return this.#spare !== null;
  }

  get consoleInputRoom(): number {
    return this.#peripherals.console.port.room;
  }

  get ingressRoom(): number {
    return this.#peripherals.network.room(this.#instance.card);
  }

  get ingress(): IngressPosition | null {
    return this.#peripherals.network.ingress;
  }

  get announcement(): Uint8Array | null {
    return this.#peripherals.network.announcement;
  }

  get awaitsPersonality(): boolean {
    return this.#peripherals.personality.isAwaited;
  }

  step(entry: LogEntry): StepResult {
    this.deliver(entry);
    return this.run();
  }

  deliver(entry: LogEntry): void {
    this.#peripherals.clock.set(entry.timeUs);
    for (const input of entry.inputs) {
      if (input.kind === "console") this.#peripherals.console.input(input);
      if (input.kind === "ingress") this.#peripherals.network.input(input, this.#instance.card);
      if (input.kind === "start") this.#start(input);
    }
  }

  run(): StepResult {
    assert(!this.#isTrapped, "the machine has trapped: its state is not known any more");
    const { clock, console, network, personality } = this.#peripherals;
    const { timeUs } = clock;
    try {
      console.port.feed(this.#instance.uarts.console);
      personality.port.feed(this.#instance.uarts.personality);
      if (network.canTransmit) network.transmit(this.#instance.card);
      const sleepMs = this.#instance.step();
      const outputs = [console.takeOutput(), network.takeOutput()];
      const halted = this.#liveMemory()[inHltOffset] !== 0;
      const isFed = console.port.canFeed || personality.port.canFeed || network.canTransmit;
      const idle = halted && !isFed;
      const endUs = clock.endUs;
      return {
        outputs: outputs.filter((output) => output !== null),
        idle,
        wakeUs: idle ? Math.max(sleepUsMin, Math.ceil(sleepMs * 1000)) + endUs - timeUs : 0,
        endUs,
        poweredOff: halted && (this.#word(flagsOffset) & interruptFlag) === 0,
      };
    } catch (error) {
      this.#isTrapped = true;
      const reason = error instanceof Error ? error.message : String(error);
      throw new MachineTrap(`the step at ${timeUs} µs trapped: ${reason}`, { cause: error });
    }
  }

  registers(): RegisterChecks {
    const eflags = this.#instance.cpu.get_eflags();
    return readRegisters(this.#liveMemory(), eflags, this.#peripherals.outputsChecksum);
  }

  windowChecksum(number: number): number {
    const { offset, bytes } = this.#instance.guestMemory;
    const start = offset + (number % (bytes / windowBytes)) * windowBytes;
    return crc32c(this.#liveMemory().subarray(start, start + windowBytes));
  }

  consoleHistory(): ConsoleHistory {
    return this.#peripherals.console.history();
  }

  writerPosition(writer: number): number {
    return this.#peripherals.console.writerPosition(writer);
  }

  wholeState(): readonly Uint8Array[] {
    return [this.#liveMemory(), this.#peripherals.save()];
  }

  async prepareSpare(): Promise<void> {
    if (this.#spare !== null) return;
    const spare = await V86Instance.create(this.#firmware);
    await touch(spare, this.#liveMemory().length, this.#breathe);
    await checkReading(spare);
    this.#spare = spare;
  }

  async move(): Promise<SnapshotSource> {
    const spare = this.#spare;
    assert(spare !== null, "move() was called before a spare instance was ready");
    this.#spare = null;
    const old = this.#instance;
    const memory = this.#liveMemory();
    const devices = encodeDevices({
      v86: await old.deviceState(),
      peripherals: this.#peripherals.save(),
    });
    const peripherals = await restore(spare, devices, memory);
    this.#instance = spare;
    this.#peripherals = peripherals;
    this.#memory = memoryOf(spare);
    return frozen(memory, devices);
  }

  #start(input: StartInput): void {
    this.#peripherals.random.seed(input.seed);
    this.#peripherals.clock.setWallClock(input.wallClockMs);
    this.#peripherals.personality.start(input.seed);
    this.#peripherals.network.start(input.mac);
    this.#instance.card.setMac(input.mac);
  }

  /** The WebAssembly memory; growing it makes a new buffer. */
  #liveMemory(): Uint8Array {
    if (this.#memory.length === 0) this.#memory = memoryOf(this.#instance);
    return this.#memory;
  }

  #word(offset: number): number {
    const memory = this.#liveMemory();
    return new DataView(memory.buffer).getUint32(offset, true);
  }
}

function memoryOf(instance: V86Instance): Uint8Array {
  return new Uint8Array(instance.cpu.memory.buffer);
}

function growTo(instance: V86Instance, bytes: number): Uint8Array {
  const missing = bytes - instance.cpu.memory.buffer.byteLength;
  assert(missing >= 0, `a fresh instance has ${-missing} bytes more memory than the snapshot`);
  if (missing > 0) instance.cpu.memory.grow(missing / pageBytes);
  return memoryOf(instance);
}

/** Grows the memory and makes the host give it real pages: copying into them is then 5 times faster. */
async function touch(instance: V86Instance, bytes: number, breathe: Breathe): Promise<void> {
  const memory = growTo(instance, bytes);
  for (let start = 0; start < bytes; start += touchChunkBytes) {
    const end = Math.min(bytes, start + touchChunkBytes);
    for (let i = start; i < end; i += touchBytes) {
      // SAFETY: the index is below the length. Each byte is written as it is.
      memory[i] = memory[i] as number;
    }
    await breathe();
  }
}

/**
 * Reading the devices' state must not change it. Doing it here also has the code compiled that runs
 * while the machine stands still.
 */
async function checkReading(fresh: V86Instance): Promise<void> {
  fresh.attach(new Peripherals());
  const state = await fresh.deviceState();
  assert(equalBytes(state, await fresh.deviceState()), "reading the devices' state changes it");
}

/**
 * Puts a snapshot into a fresh instance, and checks it: the copied memory by samples, the restored
 * devices by saving them again.
 */
async function restore(
  instance: V86Instance,
  devices: Uint8Array,
  memory: Uint8Array,
): Promise<Peripherals> {
  const states = decodeDevices(devices);
  const peripherals = new Peripherals();
  instance.attach(peripherals);
  peripherals.restore(states.peripherals, instance.uarts);
  await instance.restoreDeviceState(states.v86);
  const own = growTo(instance, memory.length);
  own.set(memory);
  checkSamples(own, memory);
  const again = encodeDevices({
    v86: await instance.deviceState(),
    peripherals: peripherals.save(),
  });
  assert(equalBytes(again, devices), "the devices restored are not those that were saved");
  instance.forgetTranslations();
  return peripherals;
}

/** Sample bytes of the copy, a prime distance apart so that they lie anywhere in their pages. */
function checkSamples(copy: Uint8Array, original: Uint8Array): void {
  for (let i = 0; i < original.length; i += sampleDistanceBytes) {
    assert(copy[i] === original[i], `the copy of the memory differs at ${i}`);
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function frozen(memory: Uint8Array, devices: Uint8Array): SnapshotSource {
  let bytes: Uint8Array | null = memory;
  return {
    devices,
    memoryBytes: memory.length,
    read(offset, length) {
      assert(bytes !== null, "the snapshot was released");
      assert(offset + length <= bytes.length, `${length} bytes at ${offset} are not in the memory`);
      return bytes.slice(offset, offset + length);
    },
    release() {
      bytes = null;
    },
  };
}
