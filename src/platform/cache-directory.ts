import { mkdir, mkdtemp, rmdir } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";

/** Where things are kept that can be made again: LOCKSTEP_CACHE, or the user's cache. */
export function cacheDirectory(): string {
  const { LOCKSTEP_CACHE, XDG_CACHE_HOME } = process.env;
  return (
    LOCKSTEP_CACHE || path.join(XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "lockstep")
  );
}

/**
 * Whether something can be kept in this directory, which is made if need be. Only trying tells: root
 * may write everywhere but on a read-only file system, as that of a container may be.
 */
export async function canKeepIn(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true });
    await rmdir(await mkdtemp(path.join(directory, "try-")));
    return true;
  } catch {
    return false;
  }
}
