/**
 * One process at a time builds. Each that wants to puts a claim into a folder, a file whose name says
 * which process it is (id, start time, and which of its claims), and builds if it then sees no other living claim: of two at
 * least one puts its claim there before the other looks. A dead process's claim counts for nothing and
 * anybody may remove it, for its name never comes again; so a killed owner blocks nobody.
 */
import { randomInt, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Claimant {
  readonly pid: number;
  /** In ticks since the machine started: process ids come again. */
  readonly startTime: string;
  /** Tells a process's claims apart. */
  readonly token: string;
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

/** A new claimant at every call. */
export async function newClaimant(): Promise<Claimant> {
  const startTime = await startTimeOf(process.pid);
  return { pid: process.pid, startTime: startTime ?? "unknown", token: randomUUID() };
}

/**
 * From Linux's /proc: the 22nd field, counted behind the command's name, which may contain anything.
 * null: there is no such process, or it has ended and only its parent does not know yet.
 */
export async function startTimeOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (text === null) return null;
  const [state, ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? null : (fields[18] ?? null);
}

export function claimName(claimant: Claimant): string {
  return `${claimant.pid}_${claimant.startTime}_${claimant.token}`;
}

/** null: the file is no claim. */
function claimantFrom(name: string): Claimant | null {
  const [, pid, startTime, token] = /^(\d+)_(\w+?)_([\w-]+)$/.exec(name) ?? [];
  if (pid === undefined || startTime === undefined || token === undefined) return null;
  return { pid: Number(pid), startTime, token };
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
