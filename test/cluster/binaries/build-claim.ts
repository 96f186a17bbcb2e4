/**
 * One process at a time builds. Each that wants to puts a claim into a folder, a file whose name says
 * which process it is (id and start time), and builds if it then sees no other living claim: of two at
 * least one puts its claim there before the other looks. A dead process's claim counts for nothing and
 * anybody may remove it, for its name never comes again; so a killed owner blocks nobody.
 */
import { randomInt } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Claimant {
  readonly pid: number;
  /** In ticks since the machine started: process ids come again. */
  readonly startTime: string;
}

export interface ClaimOptions {
  readonly self: Claimant;
  /** null: no such process. */
  readonly startTimeOf: (pid: number) => Promise<string | null>;
  /** Called at every look that finds somebody else building. */
  readonly onWait: (owner: Claimant) => void;
  readonly waitMsMax: number;
}

/** Between two looks at the claims; not the same for all, so that nobody meets the same one for ever. */
const lookMs = { min: 100, max: 400 };

/** Waits until nobody else builds, does the work, and gives up the claim. null: waited in vain. */
export async function whileAlone<T>(
  folder: string,
  options: ClaimOptions,
  work: () => Promise<T>,
): Promise<{ readonly result: T } | null> {
  await mkdir(folder, { recursive: true });
  const own = path.join(folder, claimName(options.self));
  const end = performance.now() + options.waitMsMax;
  while (performance.now() < end) {
    const owner = await livingOther(folder, options);
    if (owner !== null) {
      options.onWait(owner);
    } else {
      await writeFile(own, "");
      try {
        if ((await livingOther(folder, options)) === null) return { result: await work() };
      } finally {
        await rm(own, { force: true });
      }
    }
    await sleep(randomInt(lookMs.min, lookMs.max));
  }
  return null;
}

export async function thisProcess(): Promise<Claimant> {
  const startTime = await startTimeOf(process.pid);
  return { pid: process.pid, startTime: startTime ?? "unknown" };
}

/** From Linux's /proc: its 22nd field, counted behind the command's name, which may contain anything. */
export async function startTimeOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (text === null) return null;
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

export function claimName(claimant: Claimant): string {
  return `${claimant.pid}-${claimant.startTime}`;
}

/** null: the file is no claim. */
function claimantFrom(name: string): Claimant | null {
  const [, pid, startTime] = /^(\d+)-(\w+)$/.exec(name) ?? [];
  return pid === undefined || startTime === undefined ? null : { pid: Number(pid), startTime };
}

async function livingOther(folder: string, options: ClaimOptions): Promise<Claimant | null> {
  const own = claimName(options.self);
  for (const name of await readdir(folder)) {
    const claimant = claimantFrom(name);
    if (claimant === null || name === own) continue;
    if ((await options.startTimeOf(claimant.pid)) === claimant.startTime) return claimant;
    await rm(path.join(folder, name), { force: true });
  }
  return null;
}
