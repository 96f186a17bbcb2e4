/**
 * `cpu`: the same work in the same guest on stock v86, on the recording machine alone (a runner
 * without a backup), and on a primary with a live backup. The sides take turns, each in processes
 * of its own that end with its turn: even an idle emulator would take time from the others (stock
 * v86 takes a quarter of a core).
 */
import { GuestShell } from "./guest-shell.ts";
import type { BenchOptions } from "./options.ts";
import { PinnedPair } from "./pinned-pair.ts";
import { comparedRow, type Row } from "./report.ts";
import { startStock } from "./stock-side.ts";
import { until } from "./waiting.ts";
import { prepareCommand, type Workload, workloads } from "./workloads.ts";

const memoryMiB = 128;
/** Of one round, all sides: starting, and working twice. */
const startSeconds = 35;
const workSeconds = 90;
const target = "ratio >= 0.98";

/** A guest whose shell is up. */
interface Side {
  readonly shell: GuestShell;
  readonly close: () => Promise<void>;
}

type Start = (options: BenchOptions) => Promise<Side>;

const starts: readonly (readonly [name: string, start: Start])[] = [
  ["stock", ({ cores }) => startStock("default", cores[0], memoryMiB)],
  ["record", startRecord],
  ["pair", startPair],
];

export async function cpu(options: BenchOptions): Promise<readonly Row[]> {
  const { quick, say } = options;
  const rounds = options.rounds ?? (quick ? 2 : 5);
  const share = quick ? 0.25 : 1;
  const seconds = rounds * (startSeconds + workSeconds * share);
  say(`${rounds} rounds: about ${Math.ceil(seconds / 60)} min`);
  const work = workloads(share);
  const times: Times = new Map();
  for (let round = 1; round <= rounds; round++) {
    for (const [name, start] of rotated(starts, round)) {
      await measure(name, await start(options), work, times);
    }
    say(`round ${round}/${rounds} (stock/record/pair) ${summary(times, work)}`);
  }
  return ["pair", "record"].flatMap((side) => work.map(({ name }) => sideRow(times, side, name)));
}

/** Milliseconds of each round, by side and workload. */
type Times = Map<string, number[]>;

/** Everything is done twice: the first time warms up compilers and caches and is not counted. */
async function measure(
  name: string,
  { shell, close }: Side,
  work: readonly Workload[],
  times: Times,
): Promise<void> {
  await shell.run(prepareCommand);
  for (const { command } of work) await shell.run(command);
  for (const { name: workload, command } of work) {
    const key = `${name} ${workload}`;
    times.set(key, [...(times.get(key) ?? []), await shell.run(command)]);
  }
  await close();
}

function sideRow(times: Times, side: string, workload: string): Row {
  const name = side === "pair" ? workload : `${side}-${workload}`;
  const of = (whose: string) => times.get(`${whose} ${workload}`) ?? [];
  return comparedRow({ name, unit: "ms", better: "lower", target }, of("stock"), of(side));
}

async function startRecord({ cores }: BenchOptions): Promise<Side> {
  const alone = await PinnedPair.create({ guest: "default", memoryMiB, cores });
  await alone.startHalf(0);
  await until("the recorder alone is live", () => alone.livePrimary());
  return { shell: await consoleShell(alone), close: () => alone.close() };
}

async function startPair({ cores }: BenchOptions): Promise<Side> {
  const pair = await PinnedPair.start({ guest: "default", memoryMiB, cores });
  return { shell: await consoleShell(pair), close: () => pair.close() };
}

/** The guest's shell through the pair's console. */
export async function consoleShell(pair: PinnedPair): Promise<GuestShell> {
  const shell = new GuestShell((text) => void client.write(Buffer.from(text)));
  const client = pair.console((bytes) => shell.feed(bytes));
  await shell.ready();
  return shell;
}

/** Nobody is always first, or always after the same other. */
function rotated<T>(values: readonly T[], by: number): readonly T[] {
  const at = by % values.length;
  return [...values.slice(at), ...values.slice(0, at)];
}

function summary(times: Times, work: readonly Workload[]): string {
  const last = (side: string, name: string) => times.get(`${side} ${name}`)?.at(-1) ?? 0;
  return work
    .map(({ name }) => {
      const shown = ["stock", "record", "pair"].map((side) => last(side, name).toFixed(0));
      return `${name} ${shown.join("/")}`;
    })
    .join(", ");
}
