/** Everything that a VM thread needs before it can start, made ready once per process. */
import type { MachineImages } from "../machine/images.ts";
import { bootSnapshot } from "./boot-snapshot.ts";
import { type MachineFingerprint, machineFingerprint } from "./fingerprint.ts";
import { findGuest, type GuestChoice } from "./guest-files.ts";
import { compileV86, loadGuest } from "./machine-factory.ts";
import type { MachineOrigin } from "./vm-thread.ts";

interface DescribedMachine {
  readonly images: MachineImages;
  readonly fingerprint: MachineFingerprint;
  /** Every VM of this guest starts from one kept boot. */
  readonly sharedBoot: boolean;
}

export interface ResolvedMachine extends DescribedMachine {
  readonly compiled: WebAssembly.Module;
}

export interface ResolvedGuest extends ResolvedMachine {
  /** Where a VM that was never started begins. */
  readonly origin: MachineOrigin;
  /** SHA-256 of the boot snapshot's state; null for a machine that is switched on. */
  readonly bootSha256: string | null;
}

/** Finds and reads the guest. @throws GuestError, MachineSpecError */
async function describeMachine(guest: GuestChoice, memoryMiB: number): Promise<DescribedMachine> {
  const { spec, sharedBoot } = await findGuest(guest, memoryMiB);
  const images = await loadGuest(spec);
  return { images, fingerprint: await machineFingerprint(images), sharedBoot };
}

/**
 * The guest and v86, compiled: enough for a runner that gets its state from another.
 * @throws GuestError, MachineSpecError
 */
export async function resolveMachine(
  guest: GuestChoice,
  memoryMiB: number,
): Promise<ResolvedMachine> {
  const [machine, compiled] = await Promise.all([describeMachine(guest, memoryMiB), compileV86()]);
  return { ...machine, compiled };
}

/**
 * The machine with what a VM's first life begins from; boots the guest where no boot is kept yet.
 * @throws GuestError, MachineSpecError, BootError
 */
export async function resolveGuest(
  guest: GuestChoice,
  memoryMiB: number,
  onProgress: (text: string) => void,
): Promise<ResolvedGuest> {
  return resolveFirstLife(await resolveMachine(guest, memoryMiB), onProgress);
}

/** @throws BootError */
export async function resolveFirstLife(
  machine: ResolvedMachine,
  onProgress: (text: string) => void,
): Promise<ResolvedGuest> {
  const compile = async () => machine.compiled;
  const kept = machine.sharedBoot ? await bootSnapshot({ ...machine, compile, onProgress }) : null;
  if (kept === null) return { ...machine, origin: { kind: "powerOn" }, bootSha256: null };
  const { file, sha256 } = kept;
  return { ...machine, origin: { kind: "bootSnapshot", file }, bootSha256: sha256 };
}

/**
 * Makes sure that runners find the guest ready, for a process that does not run it itself. Gives the
 * file of the kept boot; null where each VM boots anew.
 * @throws GuestError, MachineSpecError, BootError
 */
export async function makeGuestReady(
  guest: GuestChoice,
  memoryMiB: number,
  onProgress: (text: string) => void,
): Promise<string | null> {
  const machine = await describeMachine(guest, memoryMiB);
  if (!machine.sharedBoot) return null;
  const kept = await bootSnapshot({ ...machine, compile: compileV86, onProgress });
  return kept?.file ?? null;
}
