/**
 * One instance of v86, with its whole boundary in our hands: the only file that imports v86. The
 * public option `wasm_fn` receives every import of v86.wasm and returns its exports, so nothing has
 * to be patched. What each replaced import does to stay deterministic stands beside it.
 */
import { assert } from "../../shared/assert.ts";
import { networkMtu } from "../../shared/limits.ts";
import type { GuestMemory } from "../devices/network/virtqueue.ts";
import { fractionOutside, insideStep, installGlobalOverrides } from "./global-overrides.ts";
import type { BootImages, MachineImages } from "./images.ts";
import { type NetworkCard, takeOverCard } from "./network-card.ts";
import type { Peripherals, Uarts } from "./peripherals.ts";
import { adoptExports, type CpuExports, jitImports, settlePciBars, uart } from "./v86-parts.ts";

/** What an instance is made of; the compiled v86.wasm is shared by all threads of the process. */
export interface Firmware {
  readonly compiled: WebAssembly.Module;
  readonly images: MachineImages;
  /** Sees the code of every module that the JIT makes. */
  readonly onJitModule?: (code: Uint8Array) => void;
}

/** JIT functions follow the 1,024 functions of v86.wasm itself in the table. */
const jitTableStart = 1024;
const vgaMemoryBytes = 256 * 1024;
/** Below any time: the burst that follows is then the only one of this `main_loop`. */
const longAgoMs = -1e12;
const consolePort = 0x3f8;
const personalityPort = 0x2f8;

type Imports = Record<string, (...args: number[]) => number>;
type Emulator = InstanceType<typeof import("v86").V86>;

interface MemoryPlace {
  readonly offset: number;
  readonly bytes: number;
}

interface PendingFunction {
  readonly index: number;
  readonly start: number;
  readonly flags: number;
  readonly code: unknown;
}

export class V86Instance {
  readonly cpu: CpuExports;
  readonly uarts: Uarts;
  readonly card: NetworkCard;
  readonly #emulator: Emulator;
  readonly #boundary: Boundary;

  private constructor(emulator: Emulator, boundary: Boundary) {
    this.#emulator = emulator;
    this.#boundary = boundary;
    this.cpu = boundary.cpu;
    this.card = takeOverCard(emulator, fractionOutside, boundary.ram, () => {
      boundary.peripherals.network.transmit(this.card);
    });
    const port = (name: string, base: number) =>
      uart(
        (at) => boundary.readPort(at),
        base,
        (byte) => emulator.bus.send(`${name}-input`, byte),
      );
    this.uarts = {
      console: port("serial0", consolePort),
      personality: port("serial1", personalityPort),
    };
    boundary.uarts = this.uarts;
  }

  /** A fresh instance; every one made of the same firmware is the same. */
  static async create(firmware: Firmware): Promise<V86Instance> {
    installGlobalOverrides();
    const { V86 } = await import("v86");
    const boundary = new Boundary(firmware);
    const emulator = await new Promise<Emulator>((resolve, reject) => {
      const made: Emulator = new V86({
        ...bootOptions(firmware.images.boot),
        wasm_fn: async ({ env }) => {
          try {
            return boundary.connect(env);
          } catch (error) {
            reject(error);
            throw error;
          }
        },
        memory_size: firmware.images.memoryMiB * 2 ** 20,
        vga_memory_size: vgaMemoryBytes,
        autostart: false,
        disable_keyboard: true,
        disable_mouse: true,
        disable_speaker: true,
        acpi: false,
        uart1: true,
        net_device: { type: "virtio", mtu: networkMtu },
        preserve_mac_from_state_image: true,
      });
      made.add_listener("emulator-loaded", () => resolve(made));
    });
    boundary.listen(emulator);
    if (firmware.images.boot.kind === "multiboot") boundary.settlePci();
    return new V86Instance(emulator, boundary);
  }

  /** From now on this instance's clock, random numbers and ports are these. */
  attach(peripherals: Peripherals): void {
    this.#boundary.peripherals = peripherals;
  }

  /** Where the guest's memory lies in the WebAssembly memory, and its size. */
  get guestMemory(): MemoryPlace {
    return this.#boundary.guestMemory;
  }

  /** The state of v86's devices, without memory; changes nothing. */
  async deviceState(): Promise<Uint8Array> {
    return new Uint8Array(await this.#withoutMemory(() => this.#emulator.save_state()));
  }

  /** The counterpart, into a fresh instance; the whole memory must be written after it. */
  async restoreDeviceState(state: Uint8Array): Promise<void> {
    await this.#withoutMemory(() => this.#emulator.restore_state(state.slice().buffer));
  }

  /** After the whole memory was replaced: forgets the translations that belonged to the old one. */
  forgetTranslations(): void {
    this.#boundary.real["jit_clear_cache_js"]?.();
    this.#boundary.real["full_clear_tlb"]?.();
  }

  /** One step: a burst of about 100,000 instructions, or fewer up to `hlt`. Milliseconds to sleep. */
  step(): number {
    return this.#boundary.step();
  }

  /** `work` is synchronous up to its first promise, and v86 does everything in that part. */
  #withoutMemory<T>(work: () => Promise<T>): Promise<T> {
    this.#boundary.devicesOnly = true;
    try {
      return insideStep(this.#boundary.peripherals.environment, work);
    } finally {
      this.#boundary.devicesOnly = false;
    }
  }
}

/** Between v86.wasm and the world. */
class Boundary {
  /** The exports as they are; v86 itself gets wrapped ones. */
  real: Imports = {};
  devicesOnly = false;
  guestMemory: MemoryPlace = { offset: 0, bytes: 0 };
  readonly ram: GuestMemory;
  readonly #firmware: Firmware;
  /** v86's own functions behind the imports. */
  #given: Imports = {};
  #cpu: CpuExports | null = null;
  #peripherals: Peripherals | null = null;
  #uarts: Uarts | null = null;
  #table: WebAssembly.Table | null = null;
  #jitImports: Record<string, unknown> = {};
  #pending: PendingFunction[] = [];
  #isFirstTick = false;
  #lastWords = "";
  #bytes = new Uint8Array(0);

  constructor(firmware: Firmware) {
    this.#firmware = firmware;
    const bytes = () => this.#guestBytes();
    this.ram = {
      get bytes() {
        return bytes();
      },
      onWritten: (start, end) => this.cpu.jit_dirty_cache(start, end),
    };
  }

  get cpu(): CpuExports {
    assert(this.#cpu !== null, "v86.wasm is not connected yet");
    return this.#cpu;
  }

  get peripherals(): Peripherals {
    assert(this.#peripherals !== null, "this instance is not attached to a machine");
    return this.#peripherals;
  }

  set peripherals(peripherals: Peripherals) {
    this.#peripherals = peripherals;
  }

  set uarts(uarts: Uarts) {
    this.#uarts = uarts;
  }

  connect(env: Record<string, unknown>): Record<string, unknown> {
    // SAFETY: v86 hands over functions of numbers and the one table, by these names.
    const given = env as Imports;
    this.#given = given;
    this.#table = env["__indirect_function_table"] as WebAssembly.Table;
    const imports = { ...given, ...this.#cpuImports(given), ...this.#portImports(given) };
    const { exports } = new WebAssembly.Instance(this.#firmware.compiled, { env: imports });
    // SAFETY: v86.wasm exports functions of numbers, and its memory.
    this.real = exports as Imports;
    this.#jitImports = jitImports(exports);
    const wrapped = { ...exports, ...this.#stateExports(this.real) };
    this.#cpu = adoptExports(wrapped);
    return wrapped;
  }

  /** Reads an I/O port for ourselves, unwatched. */
  readPort(port: number): number {
    return this.#given["io_port_read8"]?.(port) ?? 0;
  }

  /** What a BIOS would have done. */
  settlePci(): void {
    const { io_port_read32: read32, io_port_write32: write32 } = this.#given;
    assert(read32 !== undefined && write32 !== undefined, "v86 has no 32-bit ports");
    settlePciBars(read32, write32);
  }

  listen(emulator: Emulator): void {
    emulator.add_listener("serial0-output-byte", (byte) => {
      this.peripherals.console.onOutputByte(byte);
    });
    emulator.add_listener("serial1-output-byte", (byte) => {
      this.peripherals.personality.onOutputByte(byte);
    });
  }

  step(): number {
    this.#isFirstTick = true;
    try {
      const sleepMs = insideStep(this.peripherals.environment, this.cpu.main_loop);
      this.#enterPending();
      return sleepMs;
    } catch (error) {
      // The emulator's own last message says more than "unreachable".
      if (this.#lastWords === "" || !(error instanceof Error)) throw error;
      throw new Error(`${error.message}: ${this.#lastWords}`, { cause: error });
    }
  }

  #cpuImports(given: Imports): Record<string, unknown> {
    const now = () => this.#peripherals?.clock.readMs() ?? 0;
    return {
      // v86 leaves `main_loop` when a frame's time is over: its first look at the clock decides.
      microtick: () => {
        if (!this.#isFirstTick) return now();
        this.#isFirstTick = false;
        return longAgoMs;
      },
      run_hardware_timers: (acpi: number, timeMs: number) =>
        given["run_hardware_timers"]?.(acpi, timeMs < 0 ? now() : timeMs),
      get_rand_int: () => this.peripherals.random.int32(),
      // v86 would look for work on the event loop.
      stop_idling: () => undefined,
      // Nobody listens: a CPU halted for good is seen by its flags.
      cpu_event_halt: () => undefined,
      // v86 compiles when the event loop has time; here the code is ready at the end of the step.
      codegen_finalize: (
        index: number,
        start: number,
        flags: number,
        at: number,
        length: number,
      ) => {
        const code = new Uint8Array(this.cpu.memory.buffer, at >>> 0, length >>> 0);
        this.#firmware.onJitModule?.(code);
        const module = new WebAssembly.Module(code);
        const { exports } = new WebAssembly.Instance(module, { e: this.#jitImports });
        this.#pending.push({ index, start, flags, code: exports["f"] });
      },
      console_log_from_wasm: (at: number, length: number) => {
        const text = new Uint8Array(this.cpu.memory.buffer, at >>> 0, Math.min(length >>> 0, 500));
        this.#lastWords = String.fromCharCode(...text);
      },
    };
  }

  /** The serial ports' data registers are watched, so that we know what v86 holds unread. */
  #portImports(given: Imports): Record<string, unknown> {
    const { io_port_read8: read, io_port_write8: write, io_port_write16: write16 } = given;
    assert(read !== undefined && write !== undefined && write16 !== undefined, "v86 has no ports");
    const writeByte = (port: number, value: number) => {
      if ((port !== consolePort && port !== personalityPort) || this.#onDataWrite(port, value)) {
        write(port, value);
      }
    };
    return {
      io_port_read8: (port: number) => {
        if (port === consolePort || port === personalityPort) this.#onDataRead(port);
        return read(port);
      },
      io_port_write8: writeByte,
      io_port_write16: (port: number, value: number) => {
        if (port !== consolePort && port !== personalityPort) {
          write16(port, value);
          return;
        }
        writeByte(port, value & 0xff);
        writeByte(port, (value >> 8) & 0xff);
      },
    };
  }

  /** The guest's memory; growing the WebAssembly memory makes a new buffer. */
  #guestBytes(): Uint8Array {
    const { buffer } = this.cpu.memory;
    if (this.#bytes.buffer !== buffer) {
      this.#bytes = new Uint8Array(buffer, this.guestMemory.offset, this.guestMemory.bytes);
    }
    return this.#bytes;
  }

  #onDataRead(port: number): void {
    const uarts = this.#attachedUarts();
    if (port === consolePort) this.peripherals.console.port.onDataRead(uarts.console);
    else this.peripherals.personality.port.onDataRead(uarts.personality);
  }

  #onDataWrite(port: number, value: number): boolean {
    const uarts = this.#attachedUarts();
    if (port === consolePort)
      return this.peripherals.console.port.onDataWrite(uarts.console, value);
    return this.peripherals.personality.port.onDataWrite(uarts.personality, value);
  }

  #attachedUarts(): Uarts {
    assert(this.#uarts !== null, "the guest runs before its serial ports are connected");
    return this.#uarts;
  }

  /**
   * While only the devices are saved or restored, memory and what depends on it is left alone (it
   * goes over in one copy), and saving must not read the clock.
   */
  #stateExports(real: Imports): Record<string, unknown> {
    const unless = (name: string, answer: number) => [
      name,
      (...args: number[]) => (this.devicesOnly ? answer : real[name]?.(...args)),
    ];
    const allocate = (bytes: number) => {
      const offset = real["allocate_memory"]?.(bytes) ?? 0;
      this.guestMemory = { offset: offset >>> 0, bytes };
      return offset;
    };
    return Object.fromEntries([
      ["allocate_memory", allocate],
      unless("is_memory_zeroed", 1),
      unless("zero_memory", 0),
      unless("jit_clear_cache_js", 0),
      unless("full_clear_tlb", 0),
      unless("store_current_tsc", 0),
      unless("set_tsc", 0),
    ]);
  }

  #enterPending(): void {
    if (this.#pending.length === 0) return;
    for (const { index, start, flags, code } of this.#pending) {
      this.#table?.set(index + jitTableStart, code);
      this.cpu.codegen_finalize_finished(index, start, flags);
    }
    this.#pending.length = 0;
  }
}

function bootOptions(boot: BootImages) {
  const image = (bytes: Uint8Array) => ({ buffer: bytes.slice().buffer });
  if (boot.kind === "multiboot") {
    return {
      multiboot: image(boot.program),
      bios: undefined,
      vga_bios: undefined,
      bzimage: undefined,
      initrd: undefined,
      cmdline: undefined,
    };
  }
  return {
    multiboot: undefined,
    bios: image(boot.bios),
    vga_bios: image(boot.vgaBios),
    bzimage: image(boot.kernel),
    initrd: image(boot.initrd),
    cmdline: boot.cmdline,
  };
}
