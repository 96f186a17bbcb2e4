/**
 * Finished images, kept in the cache directory. A directory holds an image and its measure, and is
 * renamed into place when both are whole: of two processes that make the same image the first
 * wins. What is found is measured anew each time, because a cache can be damaged.
 */
import { rmSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { cacheDirectory } from "../../../src/platform/cache-directory.ts";
import { ClusterError } from "../cluster-error.ts";
import { measureFile } from "./pack-image.ts";

const imageName = "image.tar";
const measureName = "image.json";
const buildingPrefix = ".building-";
/** Another checkout may use it until then. */
const unusedMsMin = 24 * 3600_000;
/** No image takes that long: its maker was killed. */
const abandonedMs = 3600_000;

/** The file of the image with this key, made by `make` if there is none that is whole. */
export async function cachedImage(
  name: string,
  key: string,
  make: (file: string, work: string) => Promise<void>,
): Promise<string> {
  const images = path.join(cacheDirectory(), "cluster", "images");
  const directory = path.join(images, `${name}-${key}`);
  if (await isWhole(directory)) {
    await markUsed(directory);
    return path.join(directory, imageName);
  }
  await mkdir(images, { recursive: true });
  await withWorkDirectory(images, async (work) => {
    const made = path.join(work, "made");
    await mkdir(made);
    await make(path.join(made, imageName), work);
    const measure = await measureFile(path.join(made, imageName));
    await writeFile(path.join(made, measureName), `${JSON.stringify(measure)}\n`);
    await publish(made, directory, work);
  });
  await removeOthers(images, name, directory);
  return path.join(directory, imageName);
}

/** A directory that is not there is no image; neither is one that was cut off or changed. */
async function isWhole(directory: string): Promise<boolean> {
  try {
    const expected: unknown = JSON.parse(await readFile(path.join(directory, measureName), "utf8"));
    const found = await measureFile(path.join(directory, imageName));
    return JSON.stringify(expected) === JSON.stringify(found);
  } catch {
    return false;
  }
}

async function publish(made: string, directory: string, work: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await rename(made, directory);
    } catch {
      // It is there: made by another process meanwhile, or damaged.
      if (await isWhole(directory)) return;
      await rename(directory, path.join(work, `damaged-${attempt}`)).catch(() => {});
    }
  }
  throw new ClusterError(`${directory} cannot be replaced; remove it`);
}

async function withWorkDirectory(
  images: string,
  act: (work: string) => Promise<void>,
): Promise<void> {
  const work = await mkdtemp(path.join(images, buildingPrefix));
  const remove = () => rmSync(work, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    await act(work);
  } finally {
    process.off("exit", remove);
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes older versions of this image, and what killed processes left behind. */
async function removeOthers(images: string, name: string, current: string): Promise<void> {
  for (const entry of await readdir(images)) {
    const place = path.join(images, entry);
    const ageMs = await ageOf(place);
    const old = isVersionOf(entry, name) && place !== current && ageMs > unusedMsMin;
    const abandoned = entry.startsWith(buildingPrefix) && ageMs > abandonedMs;
    if (old || abandoned) await rm(place, { recursive: true, force: true });
  }
}

/** A key has no "-" in it, an image's name may. */
export function isVersionOf(entry: string, name: string): boolean {
  return entry.startsWith(`${name}-`) && /^[0-9a-f]+$/.test(entry.slice(name.length + 1));
}

async function ageOf(place: string): Promise<number> {
  try {
    return Date.now() - (await stat(place)).mtimeMs;
  } catch {
    return 0;
  }
}

async function markUsed(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now).catch(() => {});
}
