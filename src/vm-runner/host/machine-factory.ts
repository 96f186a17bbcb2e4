/**
 * Makes machines for the shells: reads the guest's files, compiles v86.wasm, and gives the machine
 * the one thing of the host that it needs, a turn of the event loop. `createMachine` and
 * `createTarget` replace the thread's clock and random numbers for good (global-overrides.ts): call
 * them only in the VM's own thread, and take the real clock before.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import {
  createDeterministicMachine,
  createSnapshotTarget,
  type InspectableMachine,
  type InspectableTarget,
} from "../machine/deterministic-machine.ts";
import { type BootImages, checkImages, type MachineImages } from "../machine/images.ts";
import { type BootSpec, type MachineSpec, MachineSpecError } from "../machine/spec.ts";
import type { Firmware } from "../machine/v86.ts";

/** One tier: see docs/determinism.md, "NaN bits". Each flag with what puts it back. */
const oneTierFlags = [
  ["--no-liftoff", "--liftoff"],
  ["--no-wasm-lazy-compilation", "--wasm-lazy-compilation"],
] as const;

/** Tells every new machine's JIT code to `onJitModule`; for tests. */
export interface FactoryOptions {
  readonly onJitModule?: (code: Uint8Array) => void;
}

/** Paths of the two files of v86 that a machine consists of. */
export function v86Files(): { readonly wasm: string; readonly library: string } {
  const require = createRequire(import.meta.url);
  const library = require.resolve("v86");
  return { library, wasm: library.replace(/libv86\.mjs$/, "v86.wasm") };
}

/**
 * Compiles v86.wasm in one tier; 1 to 2 seconds, so once per process. The result is shared with
 * workers (`workerData`).
 */
export async function compileV86(): Promise<WebAssembly.Module> {
  const code = await readFile(v86Files().wasm);
  for (const [flag] of oneTierFlags) setFlagsFromString(flag);
  try {
    return new WebAssembly.Module(code);
  } finally {
    for (const [, restored] of oneTierFlags) setFlagsFromString(restored);
  }
}

/** Reads the guest's files. Throws `MachineSpecError` for one that cannot be read. */
export async function loadGuest(spec: MachineSpec): Promise<MachineImages> {
  const images = { memoryMiB: spec.memoryMiB, boot: await loadBoot(spec.boot) };
  checkImages(images);
  return images;
}

async function loadBoot(boot: BootSpec): Promise<BootImages> {
  if (boot.kind === "multiboot") {
    return { kind: "multiboot", program: await readImage("program", boot.program) };
  }
  const [bios, vgaBios, kernel, initrd] = await Promise.all([
    readImage("bios", boot.bios),
    readImage("vgaBios", boot.vgaBios),
    readImage("kernel", boot.kernel),
    readImage("initrd", boot.initrd),
  ]);
  return { kind: "linux", bios, vgaBios, kernel, initrd, cmdline: boot.cmdline };
}

async function readImage(name: string, path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MachineSpecError(`boot.${name} cannot be read: ${reason}; give a readable file`, {
      cause: error,
    });
  }
}

/** A machine before its first step. */
export function createMachine(
  images: MachineImages,
  compiled: WebAssembly.Module,
  options: FactoryOptions = {},
): Promise<InspectableMachine> {
  return createDeterministicMachine(firmware(images, compiled, options), turnOfTheLoop());
}

/** A machine to be restored from a snapshot with `memoryBytes` of memory. */
export function createTarget(
  images: MachineImages,
  compiled: WebAssembly.Module,
  memoryBytes: number,
  options: FactoryOptions = {},
): Promise<InspectableTarget> {
  return createSnapshotTarget(firmware(images, compiled, options), turnOfTheLoop(), memoryBytes);
}

function firmware(
  images: MachineImages,
  compiled: WebAssembly.Module,
  { onJitModule }: FactoryOptions,
): Firmware {
  return { images, compiled, ...(onJitModule === undefined ? {} : { onJitModule }) };
}

function turnOfTheLoop(): () => Promise<void> {
  return () => new Promise((resolve) => setImmediate(resolve));
}
