import { expect, test } from "@jest/globals";
import { checkImages } from "./images.ts";
import { parseMachineSpec } from "./spec.ts";

const linux = {
  kind: "linux",
  bios: "bios.bin",
  vgaBios: "vgabios.bin",
  kernel: "vmlinuz",
  initrd: "initrd.gz",
  cmdline: "console=ttyS0",
};
const tiny = { kind: "multiboot", program: "tiny.bin" };

test.each([
  { memoryMiB: 128, boot: linux },
  { memoryMiB: 16, boot: tiny },
])("a machine with what is proven deterministic is accepted: %j", (spec) => {
  expect(parseMachineSpec(spec)).toEqual(spec);
});

test.each([
  [{ memoryMiB: 128, boot: linux, hda: "disk.img" }, 'cannot have "hda": disks need'],
  [{ memoryMiB: 128, boot: linux, cdrom: "cd.iso" }, 'cannot have "cdrom": disks need'],
  [{ memoryMiB: 128, boot: linux, filesystem: {} }, 'cannot have "filesystem": the 9p'],
  [{ memoryMiB: 128, boot: linux, acpi: true }, 'cannot have "acpi": the power management'],
  [{ memoryMiB: 128, boot: linux, network_relay_url: "x" }, "frames must come from the log"],
  [{ memoryMiB: 128, boot: linux, colour: "red" }, 'cannot have "colour": it is not known'],
  [{ memoryMiB: 128, boot: { ...linux, fda: "a" } }, 'boot cannot have "fda"'],
  [{ memoryMiB: 15, boot: tiny }, "memoryMiB is 15; give an even number from 16 to 1024"],
  [{ memoryMiB: 17, boot: tiny }, "memoryMiB is 17; give"],
  [{ memoryMiB: 2048, boot: tiny }, "memoryMiB is 2048; give"],
  [{ boot: tiny }, "memoryMiB is missing; give"],
  [{ memoryMiB: 16, boot: { kind: "floppy" } }, 'boot.kind is "floppy"; give "linux"'],
  [{ memoryMiB: 16, boot: { kind: "multiboot" } }, "boot.program is missing; give a text"],
  [{ memoryMiB: 128, boot: { ...linux, cmdline: "ä" } }, "boot.cmdline has 1 characters"],
  [{ memoryMiB: 16 }, "boot is missing; give an object"],
  ["tiny", 'the machine is "tiny"; give an object'],
])("%j is refused with one sentence", (spec, message) => {
  expect(() => parseMachineSpec(spec)).toThrow(message);
});

test("files that v86 could not start are refused by name", () => {
  const kernel = new Uint8Array(1024);
  kernel.set([0x48, 0x64, 0x72, 0x53], 0x202);
  const bios = new Uint8Array(65_536);
  const boot = { ...linux, bios, vgaBios: bios, kernel, initrd: new Uint8Array(3e6) } as const;
  const images = { memoryMiB: 128, boot: { ...boot, kind: "linux" as const } };
  expect(() => checkImages(images)).not.toThrow();
  expect(() => checkImages({ ...images, memoryMiB: 64 })).toThrow("give at least 70");
  const noKernel = { ...images, boot: { ...images.boot, kernel: bios } };
  expect(() => checkImages(noKernel)).toThrow("boot.kernel is not a Linux kernel");
  const longMode = kernel.slice();
  longMode[0x236] = 1;
  const kernel64 = { ...images, boot: { ...images.boot, kernel: longMode } };
  expect(() => checkImages(kernel64)).toThrow(
    "boot.kernel is a 64-bit kernel; give one for 32-bit",
  );
  const noBios = { ...images, boot: { ...images.boot, bios: new Uint8Array(0) } };
  expect(() => checkImages(noBios)).toThrow("boot.bios has 0 bytes");
  const noProgram = { memoryMiB: 16, boot: { kind: "multiboot" as const, program: bios } };
  expect(() => checkImages(noProgram)).toThrow("no multiboot header");
});
