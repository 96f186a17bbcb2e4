/** Whether there is room for a build, known before it takes minutes. The arithmetic is pure. */
import { stat, statfs } from "node:fs/promises";
import path from "node:path";

export interface Need {
  readonly what: string;
  readonly folder: string;
  readonly bytes: number;
}

export interface PlacedNeed extends Need {
  /** Which file system, and what is free there. */
  readonly device: number;
  readonly freeBytes: number;
}

/** One sentence about the first file system that is too small for all it has to take; else null. */
export function shortage(needs: readonly PlacedNeed[]): string | null {
  for (const { device, freeBytes } of needs) {
    const there = needs.filter((need) => need.device === device);
    const bytes = there.reduce((sum, need) => sum + need.bytes, 0);
    if (bytes <= freeBytes) continue;
    const parts = there.map(
      (need) => `${gigabytes(need.bytes)} for ${need.what} in ${need.folder}`,
    );
    return (
      `building the cluster's programs needs about ${gigabytes(bytes)} of disk space ` +
      `(${parts.join(", ")}), and ${gigabytes(freeBytes)} are free there; make room, or set ` +
      "GOMODCACHE, GOCACHE or LOCKSTEP_CACHE to folders on a larger disk"
    );
  }
  return null;
}

export async function place(need: Need): Promise<PlacedNeed> {
  const folder = await nearestExisting(need.folder);
  const [{ dev }, { bavail, bsize }] = await Promise.all([stat(folder), statfs(folder)]);
  return { ...need, device: dev, freeBytes: bavail * bsize };
}

async function nearestExisting(folder: string): Promise<string> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const there = await stat(at).then(
      () => true,
      () => false,
    );
    if (there || at === path.dirname(at)) return at;
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
