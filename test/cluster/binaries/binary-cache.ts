/**
 * Built programs outside the checkout: cluster/<group>-<key>/ in the cache, where the key is a hash of
 * everything that decides what a build makes. Nothing here is trusted: beside a program stands a note
 * with the SHA-256 it had when it was put here, and one that is not that any more is built again.
 * A check of all takes seconds, so the note also says what the file system told of the file at the last
 * one: as long as that is the same, nobody has written to it since.
 */
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import {
  access,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
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

/** What is in the cache under that name. @param now for the age of files: as Date.now() */
export async function lookUp(
  folder: string,
  name: BinaryName,
  now: number = Date.now(),
): Promise<CacheEntry> {
  const file = path.join(folder, name);
  const note = await readFile(noteOf(file), "utf8").catch(() => null);
  if (note === null) return { kind: "none" };
  try {
    await access(file, constants.X_OK);
  } catch {
    return { kind: "damaged", file, why: "it is not there or cannot be run" };
  }
  const [sum = "", checked] = note.split("\n");
  const identity = await identityOf(file, now);
  if (identity !== null && identity === checked) return { kind: "good", file };
  if ((await sha256(file)) !== sum) {
    return { kind: "damaged", file, why: "its contents are not what was built" };
  }
  // In a cache that must not be written to, all is checked every time.
  if (identity !== null) await writeNote(file, sum, identity).catch(() => {});
  return { kind: "good", file };
}

/** Puts a whole program into the cache; the note comes last, for without it nothing counts. */
export async function put(built: string, folder: string, name: BinaryName): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(folder, { recursive: true });
  await rm(noteOf(file), { force: true });
  const sum = await sha256(built);
  await toDisk(built);
  await rename(built, file);
  await writeNote(file, sum, "");
  return file;
}

function noteOf(file: string): string {
  return `${file}.sha256`;
}

async function writeNote(file: string, sum: string, identity: string): Promise<void> {
  const draft = `${noteOf(file)}.${process.pid}`;
  await writeFile(draft, `${sum}\n${identity}\n`);
  await rename(draft, noteOf(file));
}

/** A file's times are not exact: of one that was changed just now they do not tell the next change. */
const settledMs = 5000;

/** What any change of the file would change. null: it is too young for that. */
async function identityOf(file: string, now: number): Promise<string | null> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  if (Number(ctimeNs / 1_000_000n) > now - settledMs) return null;
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

/** A crash of the machine must not leave a file of the right size without its contents. */
async function toDisk(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
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
