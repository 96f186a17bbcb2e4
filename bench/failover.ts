/**
 * `failover`: the primary is killed (SIGKILL) and frozen (SIGSTOP) in turn, while a console client
 * reads the numbered lines of `counter`, one every 10 ms.
 */
import { GuestShell } from "./guest-shell.ts";
import { NumberedLines } from "./numbered-lines.ts";
import type { BenchOptions } from "./options.ts";
import { type Half, PinnedPair, statusOf } from "./pinned-pair.ts";
import { ended, killed } from "./processes.ts";
import { type Row, row, tailTarget } from "./report.ts";
import { pause, until } from "./waiting.ts";

/** The gap that belongs to a failure began at most this long after it. */
const gapWindowMs = 2_000;
/** Lines run undisturbed before the next failure. */
const calmMs = 1_000;
const exitTimeoutMs = 5_000;
const secondsEach = 6;

export async function failover(options: BenchOptions): Promise<readonly Row[]> {
  const n = options.n ?? (options.quick ? 5 : 20);
  options.say(
    `${n} kills and ${n} freezes: about ${Math.ceil((2 * n * secondsEach + 20) / 60)} min`,
  );
  const pair = await PinnedPair.start({ guest: "default", memoryMiB: 128, cores: options.cores });
  const lines = await startCounter(pair);
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
    options.say(
      `${trial + 1}/${2 * n} ${trial % 2 === 0 ? "killed" : "frozen"}: gap ${gap.toFixed(0)} ms, ` +
        `${lines.count} lines, ${lines.lost} lost, ${lines.repeated} repeated`,
    );
  }
  await pair.close();
  return rows(measured);
}

interface Measured {
  readonly killed: number[];
  readonly frozen: number[];
  readonly restored: number[];
  readonly lost: number[];
  readonly repeated: number[];
}

function rows({ killed, frozen, restored, lost, repeated }: Measured): readonly Row[] {
  const lower = { better: "lower" } as const;
  const ms = (name: string, values: readonly number[], bound: number) =>
    row({ name, unit: "ms", ...lower, target: tailTarget(values, `< ${bound}`) }, values);
  return [
    ms("gap-killed", killed, 100),
    ms("gap-frozen", frozen, 700),
    row({ name: "lost", unit: "lines", ...lower, target: "max <= 0" }, lost),
    row({ name: "repeated", unit: "lines", ...lower, target: "max <= 0" }, repeated),
    ms("redundancy-restored", restored, 5_000),
  ];
}

async function startCounter(pair: PinnedPair): Promise<NumberedLines> {
  const shell = new GuestShell((text) => void client.write(Buffer.from(text)));
  let lines: NumberedLines | null = null;
  const client = pair.console(
    (bytes) => {
      shell.feed(bytes);
      lines?.feed(bytes, performance.now());
    },
    (bytes) => lines?.missed(bytes),
  );
  await shell.ready();
  const counting = new NumberedLines();
  lines = counting;
  client.write(Buffer.from("counter\n"));
  await until("counter prints lines", () => (counting.count > 100 ? true : null));
  return counting;
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
