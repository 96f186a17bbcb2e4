/**
 * What must be equal on two computers so that they execute the same log in the same way. It is kept
 * part by part, so that a refusal can name what differs.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { logFormatVersion } from "../logging-channel/codec.ts";
import type { Fingerprint } from "../logging-channel/messages.ts";
import type { MachineImages } from "../machine/images.ts";
import { v86Files } from "./machine-factory.ts";

/** Options that can change what compiled code does; their order is the user's. */
const codeOptions =
  /^--(no-)?(liftoff|turbo|wasm|jit|stack|experimental-wasm|enable|sparkplug|maglev)/;

/** The fingerprint of this process running this guest. */
export async function fingerprintOf(images: MachineImages): Promise<Fingerprint> {
  const { wasm, library } = v86Files();
  return {
    "log format": String(logFormatVersion),
    "v86.wasm": short(await readFile(wasm)),
    libv86: short(await readFile(library)),
    node: process.versions.node,
    v8: process.versions.v8,
    options: process.execArgv.filter((option) => codeOptions.test(option)).join(" "),
    architecture: process.arch,
    "CPU features": await cpuFeatures(),
    "memory MiB": String(images.memoryMiB),
    guest: guestHash(images),
  };
}

/** The first part in which they differ; null: none. */
export function differingPart(a: Fingerprint, b: Fingerprint): string | null {
  const parts = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const part of parts) if (a[part] !== b[part]) return part;
  return null;
}

/** One hash over every file of the guest and its command line. */
function guestHash({ boot }: MachineImages): string {
  const hash = createHash("sha256");
  for (const [name, content] of Object.entries(boot).sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

/** V8 compiles for the features that it finds. */
async function cpuFeatures(): Promise<string> {
  const cpus = await readFile("/proc/cpuinfo", "utf8");
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpus)?.[1] ?? "";
  return short(Buffer.from(flags.trim().split(/\s+/).sort().join(" ")));
}

function short(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
