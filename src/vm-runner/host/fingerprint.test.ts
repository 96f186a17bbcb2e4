import { expect, test } from "@jest/globals";
import type { MachineImages } from "../machine/images.ts";
import { type HostFacts, machineFingerprint } from "./fingerprint.ts";

const images: MachineImages = {
  memoryMiB: 128,
  boot: {
    kind: "linux",
    bios: Uint8Array.of(1),
    vgaBios: Uint8Array.of(2),
    kernel: Uint8Array.of(3),
    initrd: Uint8Array.of(4),
    cmdline: "quiet",
  },
};
const host: HostFacts = {
  nodeVersion: "v24.21.0",
  v8Version: "13.6.1",
  architecture: "x64",
  options: ["--no-warnings"],
  cpuInfo: "processor : 0\nflags\t\t: fpu avx ssse3 hypervisor\n",
};

test("the same machine on the same host has the same fingerprint, with readable parts", async () => {
  const first = await machineFingerprint(images, host);
  expect(await machineFingerprint(images, host)).toEqual(first);
  expect(first.parts).toMatchObject({
    boot: "linux",
    cmdline: "quiet",
    memory: "128 MiB",
    "V8 options": "none",
    "CPU features": "avx ssse3",
  });
});

test.each<[string, MachineImages, HostFacts]>([
  ["memory", { ...images, memoryMiB: 256 }, host],
  [
    "cmdline",
    { ...images, boot: { ...images.boot, cmdline: "loud" } as MachineImages["boot"] },
    host,
  ],
  [
    "kernel",
    { ...images, boot: { ...images.boot, kernel: Uint8Array.of(9) } as MachineImages["boot"] },
    host,
  ],
  ["Node", images, { ...host, nodeVersion: "v24.22.0" }],
  ["V8", images, { ...host, v8Version: "13.6.2" }],
  ["V8 options", images, { ...host, options: ["--jitless"] }],
  ["architecture", images, { ...host, architecture: "arm64" }],
  ["CPU features", images, { ...host, cpuInfo: "flags : avx avx2 ssse3\n" }],
])("another %s gives another fingerprint, and the part shows it", async (part, other, facts) => {
  const before = await machineFingerprint(images, host);
  const after = await machineFingerprint(other, facts);
  expect(after.hash).not.toBe(before.hash);
  expect(after.parts[part]).not.toBe(before.parts[part]);
});

test("options and features that change no result do not keep runners apart", async () => {
  const before = await machineFingerprint(images, host);
  const other = { ...host, options: ["--enable-source-maps"], cpuInfo: "flags : ssse3 avx fpu\n" };
  expect((await machineFingerprint(images, other)).hash).toBe(before.hash);
});

test("the facts of this host can be read", async () => {
  const { parts } = await machineFingerprint(images);
  expect(parts["Node"]).toBe(process.version);
  expect(parts["CPU features"]).not.toBe("unknown");
});
