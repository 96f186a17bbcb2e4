/**
 * Where boot snapshots are: in the cache directory, and where that cannot be written, as in a
 * container with a read-only file system whose image brings a cache, in the temporary directory too.
 */
import { lstat, mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { cacheDirectory } from "../../platform/cache-directory.ts";

/** The directories in which to look for boot snapshots, the one to look in first first. */
export async function bootSnapshotPlaces(
  cache = cacheDirectory(),
  temporary = os.tmpdir(),
): Promise<readonly string[]> {
  const first = path.join(cache, "boot");
  if (await canWrite(first)) return [first];
  const own = await ownDirectory(temporary);
  return own === null ? [first] : [first, path.join(own, "boot")];
}

/** Makes the directory if need be; as root only trying tells. */
async function canWrite(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true });
    await rm(await mkdtemp(path.join(directory, "try-")), { recursive: true });
    return true;
  } catch {
    return false;
  }
}

/**
 * A directory for this user alone, made if need be. Null: the name is taken by somebody else, who
 * could put a state there that we would run.
 */
async function ownDirectory(temporary: string): Promise<string | null> {
  const user = process.getuid?.() ?? 0;
  const directory = path.join(temporary, `lockstep-${user}`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found = await lstat(directory);
    const isOurs = found.isDirectory() && found.uid === user && (found.mode & 0o022) === 0;
    return isOurs && (await canWrite(directory)) ? directory : null;
  } catch {
    return null;
  }
}
