/**
 * `lockstep demo`: a pair whose guest counts, and whose primary is killed again and again. It shows
 * that no number is lost or repeated, how long each gap was, and when redundancy was back.
 */
import { Command } from "commander";
import { exitCodes } from "../platform/exit-codes.ts";
import { runCommand } from "./command-error.ts";
import { DemoOutput } from "./demo-output.ts";
import { DemoRun, type KillReport } from "./demo-run.ts";
import { parseKills, parseMemory } from "./options.ts";
import type { PairEvent } from "./pair/events.ts";
import { type StartedPair, startPair } from "./pair/start-pair.ts";
import { prepareGuest } from "./prepare-guest.ts";

interface Flags {
  readonly kills: number;
  readonly guest: string;
  readonly memory: number;
  readonly json: boolean;
}

/** What `--json` prints. */
export interface DemoReport {
  readonly ok: boolean;
  readonly kills: readonly KillReport[];
  readonly numbers: number;
  readonly missing: number;
  readonly repeated: number;
}

const lookIntervalMs = 50;

export function demoCommand(): Command {
  return new Command("demo")
    .description("bring a pair up, kill its primary, and see the guest count on")
    .option("--kills <count>", "how often the primary is killed", parseKills, 3)
    .option("--guest <guest>", '"default", or "tiny" that is up at once', "default")
    .option("--memory <MiB>", "memory of the guest", parseMemory, 128)
    .option("--json", "print the result as JSON", false)
    .action((flags: Flags) => runCommand("demo", () => run(flags)));
}

async function run({ kills, guest, memory: memoryMiB, json }: Flags): Promise<number> {
  const output = new DemoOutput(json);
  output.title(kills);
  await prepareGuest(guest, memoryMiB, (text) => output.progress(text));
  output.step("the guest is ready");
  let demo: DemoRun | null = null;
  const started = await startPair({
    ...{ name: `demo-${process.pid}`, guest, memoryMiB, lookIntervalMs },
    onEvent: (event: PairEvent) => output.event(event),
    onView: (view) => demo?.onView(view),
  });
  const stop = endOnSignal(started);
  try {
    demo = new DemoRun(started.pair, guest, output);
    const reports = await demo.run(kills);
    const report = reportOf(reports, demo);
    output.result(report);
    return report.ok ? exitCodes.ok : exitCodes.failure;
  } finally {
    demo?.close();
    stop();
    await started.pair.powerOff();
    started.clean(false);
  }
}

function reportOf(kills: readonly KillReport[], { counter }: DemoRun): DemoReport {
  const count = (kind: string) => counter.faults.filter((fault) => fault.kind === kind).length;
  const ok = counter.faults.length === 0 && counter.count > 0;
  return {
    ok,
    kills,
    numbers: counter.count,
    missing: count("missing"),
    repeated: count("repeated"),
  };
}

/** Ctrl-C leaves nothing behind. */
function endOnSignal({ pair, clean }: StartedPair): () => void {
  const onSignal = () => {
    void pair.close().then(() => {
      clean(false);
      process.exit(exitCodes.failure);
    });
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal);
  return () => process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("SIGHUP", onSignal);
}
