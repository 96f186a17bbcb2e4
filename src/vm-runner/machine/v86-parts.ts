/**
 * Handles on parts of v86 that it does not offer by name: the exports that we call and the serial
 * ports' registers (the network card: network-card.ts). Each is checked when an instance is made, so
 * that another version of v86 fails there and not in the middle of a guest's life.
 */
import { assert } from "../../shared/assert.ts";
import type { Uart } from "../devices/serial-port.ts";

/** The exports of v86.wasm that are called from here. */
export interface CpuExports {
  readonly memory: WebAssembly.Memory;
  main_loop(): number;
  codegen_finalize_finished(index: number, start: number, flags: number): void;
  get_eflags(): number;
  /** Forgets code that was translated from guest memory between these addresses. */
  jit_dirty_cache(start: number, end: number): void;
}

const called = ["main_loop", "codegen_finalize_finished", "get_eflags", "jit_dirty_cache"];

export function adoptExports(exports: Record<string, unknown>): CpuExports {
  for (const name of called) {
    assert(typeof exports[name] === "function", `v86.wasm has no export ${name}`);
  }
  assert(exports["memory"] !== undefined, "v86.wasm has no memory");
  // SAFETY: checked above; the signatures are those of v86 0.5.462, and its version is pinned.
  return exports as unknown as CpuExports;
}

/** What v86 gives to the modules that its JIT makes (`create_jit_imports`). */
export function jitImports(exports: Record<string, unknown>): Record<string, unknown> {
  const isInternal = (name: string) =>
    name.startsWith("_") || name.startsWith("zstd") || name.endsWith("_js");
  const offered = Object.entries(exports).filter(([name]) => !isInternal(name));
  return { ...Object.fromEntries(offered), m: exports["memory"] };
}

/** The registers of the serial port at `base`; `read8` reads an I/O port, and v86 gives `send`. */
export function uart(
  read8: (port: number) => number,
  base: number,
  send: (byte: number) => void,
): Uart {
  return {
    get lineStatus() {
      return read8(base + 5);
    },
    get lineControl() {
      return read8(base + 3);
    },
    get modemControl() {
      return read8(base + 4);
    },
    receive: send,
  };
}

const pciAddressPort = 0xcf8;
const pciDataPort = 0xcfc;
const pciEnable = 0x8000_0000;
const pciDevices = 256;
const firstBar = 0x10;
const lastBar = 0x24;

/**
 * Writes every PCI device's base addresses back as they are, which clears those that do not exist.
 * A BIOS does it while it looks for devices; v86 fails to restore a state in which nobody did.
 */
export function settlePciBars(
  read32: (port: number) => number,
  write32: (port: number, value: number) => void,
): void {
  for (let device = 0; device < pciDevices; device++) {
    for (let register = firstBar; register <= lastBar; register += 4) {
      write32(pciAddressPort, pciEnable | (device << 8) | register);
      write32(pciDataPort, read32(pciDataPort));
    }
  }
}
