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
