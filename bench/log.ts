/**
 * `log`: what the backup costs the network and how far it is behind, for a guest that idles and
 * for each workload of `cpu`.
 */
import type { RunnerStatus } from "../src/shared/protocol/status.ts";
import { consoleShell } from "./cpu.ts";
import type { GuestShell } from "./guest-shell.ts";
import type { BenchOptions } from "./options.ts";
import { PinnedPair, statusOf } from "./pinned-pair.ts";
import { type Row, row, tailTarget } from "./report.ts";
import { median } from "./statistics.ts";
import { pause } from "./waiting.ts";
import { prepareCommand, workloads } from "./workloads.ts";

const idleMbitMax = 0.1;
const busyMbitMax = 0.3;
const busyBytesPerStepMax = 6;
const lagMsMax = 20;
/** Between two looks at the lag; often enough for a 99th percentile, seldom enough not to disturb. */
const lookMs = 50;
const roundSeconds = 3;

/** Of one round. */
interface Sample {
  readonly mbit: number;
  readonly bytesPerStep: number;
  readonly stepsPerSecond: number;
  readonly lagsMs: readonly number[];
}

export async function log(options: BenchOptions): Promise<readonly Row[]> {
  const { quick, say, cores } = options;
  const rounds = options.rounds ?? (quick ? 3 : 7);
  const work = workloads(1);
  say(
    `${rounds} rounds: about ${Math.ceil(((work.length + 1) * roundSeconds * rounds + 40) / 60)} min`,
  );
  const pair = await PinnedPair.start({ guest: "default", memoryMiB: 128, cores });
  const shell = await consoleShell(pair);
  await shell.run(prepareCommand);
  for (const { command } of work) await shell.run(command);
  const states = [{ name: "idle", command: `sleep ${roundSeconds}` }, ...work];
  const samples = new Map<string, Sample[]>(states.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, command } of states) {
      samples.get(name)?.push(await measure(pair, shell, command));
    }
    say(`round ${round}/${rounds}`);
  }
  await pair.close();
  return rows(samples);
}

async function measure(pair: PinnedPair, shell: GuestShell, command: string): Promise<Sample> {
  const before = await primaryStatus(pair);
  const beganMs = performance.now();
  const lagsMs: number[] = [];
  let running = true;
  const work = shell.run(command).finally(() => {
    running = false;
  });
  while (running) {
    await pause(lookMs);
    lagsMs.push((await primaryStatus(pair)).lagMs);
  }
  await work;
  const after = await primaryStatus(pair);
  const seconds = (performance.now() - beganMs) / 1000;
  const [bytes, steps] = [after.logBytes - before.logBytes, after.step - before.step];
  return {
    mbit: (bytes * 8) / seconds / 1e6,
    bytesPerStep: bytes / steps,
    stepsPerSecond: steps / seconds,
    lagsMs,
  };
}

async function primaryStatus(pair: PinnedPair): Promise<RunnerStatus> {
  const status = await statusOf(pair.halves[0]);
  if (status === null) throw new Error("the primary does not answer");
  return status;
}

function rows(samples: ReadonlyMap<string, readonly Sample[]>): readonly Row[] {
  const all = [...samples];
  const lower = { better: "lower" } as const;
  return [
    ...all.map(([name, each]) => {
      const target = `p50 < ${name === "idle" ? idleMbitMax : busyBound(each).toFixed(2)}`;
      return row({ name, unit: "Mbit/s", ...lower, target }, figures(each, "mbit"));
    }),
    ...all.map(([name, each]) => {
      const lags = each.flatMap(({ lagsMs }) => lagsMs);
      const target = tailTarget(lags, `< ${lagMsMax}`);
      return row({ name: `lag-${name}`, unit: "ms", ...lower, target }, lags);
    }),
    ...all.map(([name, each]) => {
      const named = { name: `bytes-per-step-${name}`, unit: "bytes", ...lower };
      return row(named, figures(each, "bytesPerStep"));
    }),
  ];
}

/** A bandwidth, or so many bytes for each step that ran, whichever is larger. */
function busyBound(each: readonly Sample[]): number {
  const perSecond = median(figures(each, "stepsPerSecond"));
  return Math.max(busyMbitMax, (busyBytesPerStepMax * 8 * perSecond) / 1e6);
}

function figures(
  each: readonly Sample[],
  what: "mbit" | "bytesPerStep" | "stepsPerSecond",
): readonly number[] {
  return each.map((sample) => sample[what]);
}
