/**
 * `cpu`: the same work in the same guest on stock v86, on the recording machine alone (a runner
 * without a backup), and on a primary with a live backup. The sides take turns within each round.
 */
import { GuestShell } from "./guest-shell.ts";
import type { BenchOptions } from "./options.ts";
import { PinnedPair } from "./pinned-pair.ts";
import { comparedRow, type Row } from "./report.ts";
import { startStock } from "./stock-side.ts";
import { until } from "./waiting.ts";
import { prepareCommand, type Workload, workloads } from "./workloads.ts";

const memoryMiB = 128;
const roundSeconds = 40;
const startSeconds = 60;
const target = "ratio >= 0.98";

interface Side {
  readonly name: "stock" | "record" | "pair";
  readonly shell: GuestShell;
}

export async function cpu(options: BenchOptions): Promise<readonly Row[]> {
  const { quick, say } = options;
  const rounds = options.rounds ?? (quick ? 3 : 7);
  const share = quick ? 0.25 : 1;
  const seconds = startSeconds + (rounds + 1) * roundSeconds * share;
  say(`${rounds} rounds: about ${Math.ceil(seconds / 60)} min`);
  const sides = await startSides(options);
  const work = workloads(share);
  const times: Times = new Map();
  // The first round warms up compilers and caches and is not counted.
  await playRound(rotated(sides, 0), work, new Map());
  for (let round = 1; round <= rounds; round++) {
    await playRound(rotated(sides, round), work, times);
    say(`round ${round}/${rounds} ${summary(times, work)}`);
  }
  return ["pair", "record"].flatMap((side) => work.map(({ name }) => sideRow(times, side, name)));
}

/** Milliseconds of each round, by side and workload. */
type Times = Map<string, number[]>;

/** Every workload on every side, in turns. */
async function playRound(
  sides: readonly Side[],
  work: readonly Workload[],
  times: Times,
): Promise<void> {
  for (const { name, command } of work) {
    for (const side of sides) {
      const key = `${side.name} ${name}`;
      times.set(key, [...(times.get(key) ?? []), await side.shell.run(command)]);
    }
  }
}

function sideRow(times: Times, side: string, workload: string): Row {
  const name = side === "pair" ? workload : `${side}-${workload}`;
  const of = (whose: string) => times.get(`${whose} ${workload}`) ?? [];
  return comparedRow({ name, unit: "ms", better: "lower", target }, of("stock"), of(side));
}

async function startSides({ cores, say }: BenchOptions): Promise<readonly Side[]> {
  const alone = await PinnedPair.create({ guest: "default", memoryMiB, cores });
  await alone.startHalf(0);
  await until("the recorder alone is live", () => alone.livePrimary());
  const pair = await PinnedPair.start({ guest: "default", memoryMiB, cores });
  const stock = await startStock(cores[0], memoryMiB);
  const sides: Side[] = [
    { name: "stock", shell: stock.shell },
    { name: "record", shell: await consoleShell(alone) },
    { name: "pair", shell: await consoleShell(pair) },
  ];
  for (const { shell } of sides) await shell.run(prepareCommand);
  say("all sides have booted");
  return sides;
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
