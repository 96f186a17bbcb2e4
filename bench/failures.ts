/**
 * The primary fails, killed (SIGKILL) and frozen (SIGSTOP) in turn, while a client reads numbered
 * lines, one every 10 ms.
 */
import type { NumberedLines } from "./numbered-lines.ts";
import { type Half, type PinnedPair, statusOf } from "./pinned-pair.ts";
import { ended, killed } from "./processes.ts";
import { pause, until } from "./waiting.ts";

/** The gap that belongs to a failure began at most this long after it. */
const gapWindowMs = 2_000;
/** Lines run undisturbed before the next failure. */
const calmMs = 1_000;
const exitTimeoutMs = 5_000;
/** Of one failure, until the pair is redundant and calm again. */
export const failureSeconds = 6;

/** Milliseconds, and lines; a value for each failure. */
export interface Measured {
  readonly killed: number[];
  readonly frozen: number[];
  readonly restored: number[];
  readonly lost: number[];
  readonly repeated: number[];
}

/** `n` times each, beginning with a kill. */
export async function failRepeatedly(
  pair: PinnedPair,
  lines: NumberedLines,
  n: number,
  say: (text: string) => void,
): Promise<Measured> {
  const measured = { killed: [], frozen: [], restored: [], lost: [], repeated: [] } as Measured;
  for (let trial = 0; trial < 2 * n; trial++) {
    const before = { lost: lines.lost, repeated: lines.repeated };
    const failedMs = trial % 2 === 0 ? await kill(pair, measured) : await freeze(pair, trial);
    await pair.redundant();
    await pause(calmMs);
    const gap = lines.longestGap(failedMs, failedMs + gapWindowMs);
    (trial % 2 === 0 ? measured.killed : measured.frozen).push(gap);
    measured.lost.push(lines.lost - before.lost);
    measured.repeated.push(lines.repeated - before.repeated);
    say(
      `${trial + 1}/${2 * n} ${trial % 2 === 0 ? "killed" : "frozen"}: gap ${gap.toFixed(0)} ms, ` +
        `${lines.count} lines, ${lines.lost} lost, ${lines.repeated} repeated`,
    );
  }
  return measured;
}

/** The dead half is started again at once, as `lockstep up` does. */
async function kill(pair: PinnedPair, { restored }: Measured): Promise<number> {
  const { half, index, child } = await primaryOf(pair);
  const failedMs = performance.now();
  await killed(child);
  half.child = null;
  await pair.startHalf(index);
  await pair.redundant();
  restored.push(performance.now() - failedMs);
  return failedMs;
}

/** Once its backup has taken over, every other frozen primary is thawed: it must see that and end. */
async function freeze(pair: PinnedPair, trial: number): Promise<number> {
  const { half, index, child } = await primaryOf(pair);
  const failedMs = performance.now();
  child.kill("SIGSTOP");
  const survivor = pair.halves[index === 0 ? 1 : 0];
  await until("the backup has taken over", () => isLive(survivor));
  half.child = null;
  if (trial % 4 === 1) {
    child.kill("SIGCONT");
    await Promise.race([ended(child), pause(exitTimeoutMs)]);
    if (child.exitCode === null) throw new Error("a primary that was superseded did not end");
  } else {
    await killed(child);
  }
  await pair.startHalf(index);
  return failedMs;
}

async function isLive(half: Half): Promise<true | null> {
  const status = await statusOf(half);
  return status?.role === "primary" && status.live ? true : null;
}

async function primaryOf(pair: PinnedPair) {
  const primary = await pair.redundant();
  const child = primary?.half.child ?? null;
  if (primary === null || child === null) throw new Error("the pair has no primary");
  return { ...primary, child };
}
