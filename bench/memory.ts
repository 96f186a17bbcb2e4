/**
 * `memory`: what a runner takes of its node, for several sizes of guest: the most memory that was
 * resident during each phase of its life, and the processor time of an idle one. What a pod of a
 * runner requests follows from these figures (src/operator/specs/runner-resources.ts).
 */
import { readFile, writeFile } from "node:fs/promises";
import type net from "node:net";
import { freePort } from "../src/cli/pair/free-port.ts";
import { connect, drained } from "./network/client.ts";
import type { BenchOptions } from "./options.ts";
import { type Half, PinnedPair } from "./pinned-pair.ts";
import { killed } from "./processes.ts";
import { type Row, row } from "./report.ts";
import { pause, until } from "./waiting.ts";

interface Guest {
  readonly guest: "tiny" | "default";
  readonly memoryMiB: number;
}

const guests: readonly Guest[] = [
  { guest: "tiny", memoryMiB: 16 },
  { guest: "tiny", memoryMiB: 32 },
  { guest: "default", memoryMiB: 128 },
  { guest: "default", memoryMiB: 256 },
  { guest: "default", memoryMiB: 512 },
];
const quickGuests = guests.filter(({ memoryMiB }) => memoryMiB === 32 || memoryMiB === 128);

/** In the order in which they are measured. */
const phases = ["start", "transfer", "idle", "network", "transfer-again"] as const;
type Phase = (typeof phases)[number];
type Side = "primary" | "backup";

const idleSeconds = 10;
const loadSeconds = 12;
const secondsEach = 60;
/** Before the idle processor time counts, V8's compilers have had their turn. */
const calmSeconds = 8;
const echoPort = 7;
const blockBytes = 64 * 1024;
/** Of /proc/PID/stat; the same on every Linux that Node runs on. */
const ticksPerSecond = 100;

interface Sample {
  /** The most at once in the phase, in MiB. */
  readonly peaks: Map<`${Phase}-${Side}`, number>;
  /** Thousandths of a core of an idle runner. */
  readonly milliCores: Map<Side, number>;
}

export async function memory(options: BenchOptions): Promise<readonly Row[]> {
  const chosen = options.quick ? quickGuests : guests;
  const rounds = options.rounds ?? 1;
  options.say(`about ${Math.ceil((chosen.length * rounds * secondsEach) / 60)} min`);
  const rows: Row[] = [];
  for (const guest of chosen) {
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) samples.push(await measure(options, guest));
    const measured = rowsOf(guest, samples);
    for (const { name, unit, max } of measured) options.say(`${name}: ${max} ${unit}`);
    rows.push(...measured);
  }
  return rows;
}

function rowsOf({ guest, memoryMiB }: Guest, samples: readonly Sample[]): Row[] {
  const named = (what: string) => `${guest}-${memoryMiB}-${what}`;
  const [first] = samples;
  const lower = { better: "lower" } as const;
  const peaks = [...(first?.peaks.keys() ?? [])].map((what) => {
    const values = samples.map((sample) => sample.peaks.get(what) ?? 0);
    return row({ name: named(what), unit: "MiB", ...lower }, values);
  });
  const cpu = [...(first?.milliCores.keys() ?? [])].map((side) => {
    const values = samples.map((sample) => sample.milliCores.get(side) ?? 0);
    return row({ name: named(`idle-cpu-${side}`), unit: "mcores", ...lower }, values);
  });
  return [...peaks, ...cpu];
}

async function measure({ cores }: BenchOptions, guest: Guest): Promise<Sample> {
  const sample: Sample = { peaks: new Map(), milliCores: new Map() };
  const hasNetwork = guest.guest === "default";
  const hostPort = await freePort();
  const published = { host: "127.0.0.1", hostPort, guestPort: echoPort, protocol: "tcp" } as const;
  const pair = await PinnedPair.create({
    ...{ ...guest, cores },
    ...(hasNetwork ? { publish: [published] } : {}),
  });
  await pair.startHalf(0);
  await until("the first half is live", () => pair.livePrimary());
  await note(sample, "start", { primary: pair.halves[0] });
  await pair.startHalf(1);
  await note(sample, "transfer", await both(pair));
  await pause(calmSeconds * 1000);
  await idle(sample, await both(pair));
  await note(sample, "idle", await both(pair));
  const load = hasNetwork ? await startLoad(hostPort) : null;
  await pause(loadSeconds * 1000);
  if (load !== null) await note(sample, "network", await both(pair));
  await replaceBackup(pair);
  await note(sample, "transfer-again", await both(pair));
  load?.destroy();
  await pair.close();
  return sample;
}

type Halves = Partial<Record<Side, Half>>;

/** Who is what now: on a busy computer the halves may have changed their roles. */
async function both(pair: PinnedPair): Promise<Required<Halves>> {
  const index = (await pair.redundant())?.index ?? 0;
  const [first, second] = pair.halves;
  return index === 0 ? { primary: first, backup: second } : { primary: second, backup: first };
}

async function replaceBackup(pair: PinnedPair): Promise<void> {
  const { backup } = await both(pair);
  if (backup.child !== null) await killed(backup.child);
  backup.child = null;
  await pair.startHalf(backup === pair.halves[0] ? 0 : 1);
}

/** Keeps the peaks since the last note, and lets the kernel begin anew. */
async function note(sample: Sample, phase: Phase, halves: Halves): Promise<void> {
  for (const [side, half] of sides(halves)) {
    const process = `/proc/${pidOf(half)}`;
    const status = await readFile(`${process}/status`, "utf8");
    const peakKiB = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]);
    sample.peaks.set(`${phase}-${side}`, peakKiB / 1024);
    await writeFile(`${process}/clear_refs`, "5");
  }
}

async function idle(sample: Sample, halves: Halves): Promise<void> {
  const before = new Map<Side, { pid: number; ticks: number }>();
  for (const [side, half] of sides(halves)) {
    before.set(side, { pid: pidOf(half), ticks: await ticks(half) });
  }
  await pause(idleSeconds * 1000);
  for (const [side, half] of sides(halves)) {
    const began = before.get(side);
    if (began?.pid !== pidOf(half))
      throw new Error("a half was replaced: the computer is too busy");
    const used = (await ticks(half)) - began.ticks;
    sample.milliCores.set(side, (used * 1000) / ticksPerSecond / idleSeconds);
  }
}

function sides({ primary, backup }: Halves): [Side, Half][] {
  const all: [Side, Half | undefined][] = [
    ["primary", primary],
    ["backup", backup],
  ];
  return all.flatMap(([side, half]) => (half === undefined ? [] : [[side, half]]));
}

/** Of all threads, in user mode and in the kernel. */
async function ticks(half: Half): Promise<number> {
  const stat = await readFile(`/proc/${pidOf(half)}/stat`, "utf8");
  // The name in brackets may have spaces; the fields after it have not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function pidOf({ child }: Half): number {
  if (child?.pid === undefined) throw new Error("a half has ended by itself");
  return child.pid;
}

/** Sends to the guest's echo as fast as it goes, and reads what comes back. */
async function startLoad(port: number): Promise<net.Socket> {
  const socket = await connect(port);
  const block = Buffer.alloc(blockBytes, "lockstep ");
  socket.on("error", () => {}).resume();
  const send = async (): Promise<void> => {
    while (!socket.destroyed) if (!socket.write(block)) await drained(socket);
  };
  // It ends with the connection, whose end the drain tells as an error.
  send().catch(() => {});
  return socket;
}
