import { expect, test } from "@jest/globals";
import type { MachineImages } from "../machine/images.ts";
import { type HostFacts, machineFingerprint } from "./fingerprint.ts";

const linux = {
  kind: "linux" as const,
  bios: Uint8Array.of(1),
  vgaBios: Uint8Array.of(2),
  kernel: Uint8Array.of(3),
  initrd: Uint8Array.of(4),
  cmdline: "quiet",
};
const images: MachineImages = { memoryMiB: 128, boot: linux };
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

const otherMachines: readonly [string, MachineImages][] = [
  ["memory", { ...images, memoryMiB: 256 }],
  ["cmdline", { ...images, boot: { ...linux, cmdline: "loud" } }],
  ["kernel", { ...images, boot: { ...linux, kernel: Uint8Array.of(9) } }],
];
const otherHosts: readonly [string, HostFacts][] = [
  ["Node", { ...host, nodeVersion: "v24.22.0" }],
  ["V8", { ...host, v8Version: "13.6.2" }],
  ["V8 options", { ...host, options: ["--jitless"] }],
  ["architecture", { ...host, architecture: "arm64" }],
  ["CPU features", { ...host, cpuInfo: "flags : avx avx2 ssse3\n" }],
];

test.each(otherMachines)(
  "another %s: runners do not pair, nor is a state of use",
  async (part, other) => {
    const before = await machineFingerprint(images, host);
    const after = await machineFingerprint(other, host);
    expect(after.parts[part]).not.toBe(before.parts[part]);
    expect(after.stateHash).not.toBe(before.stateHash);
  },
);

test.each(otherHosts)(
  "another %s: runners do not pair, but a state is of use",
  async (part, facts) => {
    const before = await machineFingerprint(images, host);
    const after = await machineFingerprint(images, facts);
    expect(after.parts[part]).not.toBe(before.parts[part]);
    expect(after.stateHash).toBe(before.stateHash);
  },
);

test("options and features that change no result do not keep runners apart", async () => {
  const before = await machineFingerprint(images, host);
  const other = { ...host, options: ["--enable-source-maps"], cpuInfo: "flags : ssse3 avx fpu\n" };
  expect((await machineFingerprint(images, other)).parts).toEqual(before.parts);
});

test("the facts of this host can be read", async () => {
  const { parts } = await machineFingerprint(images);
  expect(parts["Node"]).toBe(process.version);
  expect(parts["CPU features"]).not.toBe("unknown");
});
