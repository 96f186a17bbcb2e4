/** Everything that a VM thread needs before it can start, made ready once per process. */
import type { MachineImages } from "../machine/images.ts";
import { bootSnapshot } from "./boot-snapshot.ts";
import { type MachineFingerprint, machineFingerprint } from "./fingerprint.ts";
import { findGuest } from "./guest-files.ts";
import { compileV86, loadGuest } from "./machine-factory.ts";
import type { MachineOrigin } from "./vm-thread.ts";

export interface ResolvedGuest {
  readonly images: MachineImages;
  readonly compiled: WebAssembly.Module;
  readonly fingerprint: MachineFingerprint;
  /** Where a VM that was never started begins. */
  readonly origin: MachineOrigin;
  /** SHA-256 of the boot snapshot's state; null for a machine that is switched on. */
  readonly bootSha256: string | null;
}

/**
 * Finds and reads the guest, compiles v86, and boots the guest where no boot is kept yet.
 * `name`: "default", "tiny" or a directory with a guest.json.
 * @throws GuestError, MachineSpecError, BootError
 */
export async function resolveGuest(
  name: string,
  memoryMiB: number,
  onProgress: (text: string) => void,
): Promise<ResolvedGuest> {
  const { spec, sharedBoot } = await findGuest(name, memoryMiB);
  const images = await loadGuest(spec);
  const [compiled, fingerprint] = await Promise.all([compileV86(), machineFingerprint(images)]);
  const machine = { images, compiled, fingerprint };
  if (!sharedBoot) {
    return { ...machine, origin: { kind: "powerOn" }, bootSha256: null };
  }
  const { file, sha256 } = await bootSnapshot({ ...machine, onProgress });
  const origin: MachineOrigin = { kind: "bootSnapshot", file };
  return { ...machine, origin, bootSha256: sha256 };
}
