/**
 * `transfer`: how long the primary stands still while its state is copied, and how long it takes
 * until the new backup executes, for guests of three sizes. The guest prints lines meanwhile.
 */
import { consoleShell } from "./cpu.ts";
import type { BenchOptions } from "./options.ts";
import { PinnedPair } from "./pinned-pair.ts";
import { killed } from "./processes.ts";
import { type Row, row } from "./report.ts";
import { pause, until } from "./waiting.ts";

/** A Linux guest needs more than 64 MiB (v86 puts its initrd there), so that size runs the tiny one. */
const guests = [
  { memoryMiB: 64, guest: "tiny" },
  { memoryMiB: 128, guest: "default" },
  { memoryMiB: 256, guest: "default" },
] as const;
const pauseMsMax = 50;
const pauseMsPerMiBMax = 0.15;
const secondsEach = 5;
const calmMs = 500;

interface Sizes {
  readonly memoryMiB: number;
  readonly pauses: number[];
  readonly totals: number[];
}

export async function transfer(options: BenchOptions): Promise<readonly Row[]> {
  const rounds = options.rounds ?? (options.quick ? 5 : 15);
  const seconds = guests.length * (10 + rounds * secondsEach);
  options.say(`${rounds} transfers of each size: about ${Math.ceil(seconds / 60)} min`);
  const measured: Sizes[] = [];
  for (const { memoryMiB, guest } of guests) {
    const sizes: Sizes = { memoryMiB, pauses: [], totals: [] };
    await measure(options, guest, rounds, sizes);
    options.say(
      `${memoryMiB} MiB: pauses ${sizes.pauses.map((ms) => ms.toFixed(0)).join(", ")} ms`,
    );
    measured.push(sizes);
  }
  const at128 = rowsOf(measured, 128)?.p50 ?? 0;
  return [
    ...measured.map(({ memoryMiB, pauses }) =>
      row({ ...named("pause", memoryMiB), target: pauseTarget(memoryMiB, at128) }, pauses),
    ),
    ...measured.map(({ memoryMiB, totals }) => row(named("total", memoryMiB), totals)),
  ];
}

function rowsOf(measured: readonly Sizes[], memoryMiB: number): Row | null {
  const sizes = measured.find((each) => each.memoryMiB === memoryMiB);
  return sizes === undefined ? null : row(named("pause", memoryMiB), sizes.pauses);
}

function named(what: string, memoryMiB: number) {
  return { name: `${what}-${memoryMiB}`, unit: "ms", better: "lower" } as const;
}

/** Below the bound at 128 MiB, and growing no faster than allowed above that. */
function pauseTarget(memoryMiB: number, at128: number): string {
  if (memoryMiB <= 128) return `p50 < ${pauseMsMax}`;
  return `p50 < ${(at128 + (memoryMiB - 128) * pauseMsPerMiBMax).toFixed(1)}`;
}

async function measure(
  { cores }: BenchOptions,
  guest: "tiny" | "default",
  rounds: number,
  { memoryMiB, pauses, totals }: Sizes,
): Promise<void> {
  const pair = await PinnedPair.start({ guest, memoryMiB, cores });
  if (guest === "default") {
    const shell = await consoleShell(pair);
    await shell.run("(counter >/dev/null 2>&1 &)");
  }
  for (let round = 0; round < rounds; round++) {
    await pause(calmMs);
    const before = (await pair.redundant())?.status.transfers.finished ?? 0;
    const backup = pair.halves[1].child;
    if (backup === null) throw new Error("the backup has ended by itself");
    await killed(backup);
    pair.halves[1].child = null;
    await pair.startHalf(1);
    const transfers = await until("the state was transferred", async () => {
      const primary = await pair.livePrimary();
      const done = primary?.status.transfers;
      return done !== undefined && done.finished > before ? done : null;
    });
    await pair.redundant();
    pauses.push(transfers.lastPauseMs);
    totals.push(transfers.lastMs);
  }
  await pair.close();
}
