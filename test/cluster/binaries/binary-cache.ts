/**
 * Built programs outside the checkout: cluster/<group>-<key>/ in the cache, where the key is a hash of
 * everything that decides what a build makes. Nothing here is trusted: beside a program stands the
 * SHA-256 it had when it was put here, and one that is not that any more is removed and built again.
 */
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { BinaryName, BuildGroup } from "./binary-table.ts";
import { buildFlags } from "./binary-table.ts";

export type CacheEntry =
  | { readonly kind: "good"; readonly file: string }
  | { readonly kind: "none" }
  | { readonly kind: "damaged"; readonly file: string; readonly why: string };

/** Where a group's programs are kept. `tools` is the folder of the modules. */
export async function groupFolder(
  cache: string,
  tools: string,
  group: BuildGroup,
): Promise<string> {
  const sources = await readSources(path.join(tools, group.module));
  return path.join(cache, "cluster", `${group.name}-${buildKey(group, sources)}`);
}

/** Pure. Go's own version is not in it: it is not known where only the cache is used. */
export function buildKey(
  group: BuildGroup,
  sources: readonly (readonly [string, string])[],
  platform: string = `${process.platform} ${process.arch}`,
): string {
  const packages = [...group.packages].map(([name, place]) => `${name}=${place}`);
  const parts = [platform, ...buildFlags(group), ...packages, ...sources.flat()];
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}\0`);
  return hash.digest("hex").slice(0, 16);
}

/** What is in the cache under that name, looked at byte by byte. */
export async function lookUp(folder: string, name: BinaryName): Promise<CacheEntry> {
  const file = path.join(folder, name);
  const noted = await readFile(sumFile(file), "utf8").catch(() => null);
  if (noted === null) return { kind: "none" };
  try {
    await access(file, constants.X_OK);
  } catch {
    return { kind: "damaged", file, why: "it is not there or cannot be run" };
  }
  if ((await sha256(file)) === noted.trim()) return { kind: "good", file };
  return { kind: "damaged", file, why: "its contents are not what was built" };
}

/** Puts a whole program into the cache; the note comes last, for without it nothing counts. */
export async function put(built: string, folder: string, name: BinaryName): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(folder, { recursive: true });
  await rm(sumFile(file), { force: true });
  const sum = await sha256(built);
  await rename(built, file);
  await writeFile(`${sumFile(file)}.new`, `${sum}\n`);
  await rename(`${sumFile(file)}.new`, sumFile(file));
  return file;
}

function sumFile(file: string): string {
  return `${file}.sha256`;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** go.mod, go.sum and the project's own Go files of one module: names and texts, in order. */
async function readSources(directory: string): Promise<[string, string][]> {
  const names = (await readdir(directory, { recursive: true }))
    .filter((name) => /(^|\/)go\.(mod|sum)$|\.go$/.test(name))
    .sort();
  return await Promise.all(
    names.map(async (name): Promise<[string, string]> => {
      return [name, await readFile(path.join(directory, name), "utf8")];
    }),
  );
}
