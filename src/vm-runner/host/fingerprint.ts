/**
 * What two runners must have in common so that the same log gives the same guest on both. Runners
 * with different fingerprints do not pair; the parts are readable, so that a refusal names the one
 * that differs.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { logFormatVersion } from "../logging-channel/codec.ts";
import type { Fingerprint } from "../logging-channel/messages.ts";
import type { MachineImages } from "../machine/images.ts";
import { snapshotVersion } from "../machine/snapshot-format.ts";
import { v86Files } from "./machine-factory.ts";

export interface MachineFingerprint {
  /**
   * SHA-256 of the parts that say what a saved state of the machine means, in hexadecimal. A state is
   * memory: it can be loaded on any computer, whichever one saved it.
   */
  readonly stateHash: string;
  readonly parts: Fingerprint;
}

/** What the fingerprint takes from the host; a parameter so that tests can change it. */
export interface HostFacts {
  readonly nodeVersion: string;
  readonly v8Version: string;
  readonly architecture: string;
  /** Options of Node and V8, from the command line and the environment. */
  readonly options: readonly string[];
  /** /proc/cpuinfo. */
  readonly cpuInfo: string;
}

/** Grows when the machine is wired differently: options of v86, clock, devices of ours. */
const machineVersion = 4;

/** Options of Node that change no result of a computation. */
const harmlessOptions =
  /^--(no-warnings|enable-source-maps|experimental-vm-modules|title=|inspect)/;

/** The CPU features by which V8 chooses instructions (its `cpu-features.h`), as Linux names them. */
const x64Features = [
  ..."pni ssse3 sse4_1 sse4_2 avx avx2 avx_vnni avx_vnni_int8 fma f16c".split(" "),
  ..."bmi1 bmi2 abm popcnt lahf_lm apx".split(" "),
];

export async function machineFingerprint(
  images: MachineImages,
  host?: HostFacts,
): Promise<MachineFingerprint> {
  const facts = host ?? (await hostFacts());
  const { wasm, library } = v86Files();
  const state: Fingerprint = {
    "v86.wasm": sha256(await readFile(wasm)),
    "libv86.mjs": sha256(await readFile(library)),
    "machine version": String(machineVersion),
    "snapshot version": String(snapshotVersion),
    memory: `${images.memoryMiB} MiB`,
    ...bootParts(images),
  };
  const parts: Fingerprint = {
    ...state,
    "log format": String(logFormatVersion),
    Node: facts.nodeVersion,
    V8: facts.v8Version,
    "V8 options": usedOptions(facts.options),
    architecture: facts.architecture,
    "CPU features": cpuFeatures(facts),
  };
  return { stateHash: sha256(Buffer.from(JSON.stringify(state))), parts };
}

async function hostFacts(): Promise<HostFacts> {
  return {
    nodeVersion: process.version,
    v8Version: process.versions.v8,
    architecture: process.arch,
    options: [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(/\s+/)],
    cpuInfo: await readFile("/proc/cpuinfo", "utf8"),
  };
}

/** The kind, its texts as they are and its files by their hash. */
function bootParts({ boot }: MachineImages): Fingerprint {
  const parts = Object.entries(boot).map(([name, value]) => [
    name === "kind" ? "boot" : name,
    value instanceof Uint8Array ? sha256(value) : value,
  ]);
  return Object.fromEntries(parts);
}

function usedOptions(options: readonly string[]): string {
  const used = options.filter((option) => option !== "" && !harmlessOptions.test(option));
  return used.toSorted().join(" ") || "none";
}

function cpuFeatures({ cpuInfo, architecture }: HostFacts): string {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo)?.[1];
  if (line === undefined) return "unknown";
  const all = line.trim().split(/\s+/);
  const chosen = architecture === "x64" ? all.filter((name) => x64Features.includes(name)) : all;
  return chosen.toSorted().join(" ") || "none";
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The first part in which two fingerprints differ; null: none. */
export function differingPart(a: Fingerprint, b: Fingerprint): string | null {
  const parts = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const part of parts) if (a[part] !== b[part]) return part;
  return null;
}
