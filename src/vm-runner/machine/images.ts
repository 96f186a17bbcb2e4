/** What a machine is made of: checked sizes and the bytes of the guest's files. */
import { MachineSpecError } from "./spec.ts";

export interface MachineImages {
  readonly memoryMiB: number;
  readonly boot: BootImages;
}

export type BootImages =
  /** A Linux kernel, started by the BIOS. */
  | {
      readonly kind: "linux";
      readonly bios: Uint8Array;
      readonly vgaBios: Uint8Array;
      readonly kernel: Uint8Array;
      readonly initrd: Uint8Array;
      readonly cmdline: string;
    }
  /** A multiboot program, started directly: no BIOS. */
  | { readonly kind: "multiboot"; readonly program: Uint8Array };

/** v86 puts the initrd at 64 MiB; the guest needs room to unpack it. */
const initrdAtMiB = 64;
/** A BIOS lies below 1 MiB. */
const biosBytesMax = 256 * 1024;
const multibootMagic = 0x1bad_b002;
const multibootHeaderEnd = 8192;
/** "HdrS" in the header of a bzImage. */
const bzImageMagic = 0x5372_6448;
const bzImageMagicOffset = 0x202;
/** Where a bzImage says for which processors it is: bit 0, for 64-bit ones. */
const bzImageLoadFlagsOffset = 0x236;

/** Throws `MachineSpecError` for files that v86 could not start. */
export function checkImages({ memoryMiB, boot }: MachineImages): void {
  if (boot.kind === "multiboot") {
    if (hasMultibootHeader(boot.program)) return;
    throw new MachineSpecError("boot.program has no multiboot header in its first 8 KiB");
  }
  checkBios("bios", boot.bios);
  checkBios("vgaBios", boot.vgaBios);
  checkKernel(boot.kernel);
  const neededMiB = initrdAtMiB + 2 * Math.ceil(boot.initrd.length / 2 ** 20);
  if (memoryMiB < neededMiB) {
    throw new MachineSpecError(
      `memoryMiB is ${memoryMiB}; with this initrd give at least ${neededMiB}`,
    );
  }
}

function checkKernel(kernel: Uint8Array): void {
  if (wordAt(kernel, bzImageMagicOffset) !== bzImageMagic) {
    throw new MachineSpecError(
      "boot.kernel is not a Linux kernel for x86 (bzImage); give the file that a boot loader would start, often called vmlinuz",
    );
  }
  // It would say so itself, but on a screen.
  const loadFlags = wordAt(kernel, bzImageLoadFlagsOffset) ?? 0;
  if ((loadFlags & 1) === 0) return;
  throw new MachineSpecError(
    "boot.kernel is a 64-bit kernel; give one for 32-bit x86, such as Debian's linux-image-686",
  );
}

function checkBios(name: string, bios: Uint8Array): void {
  if (bios.length > 0 && bios.length <= biosBytesMax) return;
  throw new MachineSpecError(
    `boot.${name} has ${bios.length} bytes; a BIOS has from 1 to ${biosBytesMax}`,
  );
}

function hasMultibootHeader(program: Uint8Array): boolean {
  for (let offset = 0; offset < Math.min(program.length, multibootHeaderEnd); offset += 4) {
    if (wordAt(program, offset) === multibootMagic) return true;
  }
  return false;
}

function wordAt(bytes: Uint8Array, offset: number): number | null {
  if (offset + 4 > bytes.length) return null;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
