/**
 * `lockstep demo`: a pair whose guest counts, and whose primary is killed again and again. It shows
 * that no number is lost or repeated, how long each gap was, and when redundancy was back. The
 * numbers come over one TCP connection; where there is no network for the guest, on its console.
 */
import { Command } from "commander";
import type { PublishedPort } from "../gateway/published-port.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { runCommand } from "./command-error.ts";
import { ConsoleCounter } from "./demo/console-counter.ts";
import { DemoOutput } from "./demo/demo-output.ts";
import { demoReport } from "./demo/demo-report.ts";
import { DemoRun } from "./demo/demo-run.ts";
import { counterPort, TcpCounter } from "./demo/tcp-counter.ts";
import { parseKills, parseMemory } from "./options.ts";
import type { PairEvent } from "./pair/events.ts";
import { freePort } from "./pair/free-port.ts";
import { type StartedPair, startPair } from "./pair/start-pair.ts";
import { prepareGuest } from "./prepare-guest.ts";
import { type NetworkChoice, prepareNetwork } from "./prepare-network.ts";

interface Flags {
  readonly kills: number;
  readonly guest: string;
  readonly memory: number;
  readonly json: boolean;
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
  const out = new DemoOutput(json);
  out.title(kills);
  await prepareGuest(guest, memoryMiB, (text) => out.progress(text));
  const port = await publishedPort(guest, out);
  out.step("the guest is ready to start");
  let demo: DemoRun | null = null;
  const started = await startPair({
    ...{ name: `demo-${process.pid}`, guest, memoryMiB, lookIntervalMs },
    network: port === null ? null : { publish: [port] },
    ready: port === null ? null : { kind: "tcp", port: port.guestPort },
    onEvent: (event: PairEvent) => out.event(event),
    onView: (view) => demo?.onView(view),
  });
  const stop = endOnSignal(started);
  const { pair } = started;
  const counted = port === null ? new ConsoleCounter(pair, guest) : new TcpCounter(port.hostPort);
  try {
    demo = new DemoRun(pair, counted, out);
    const report = demoReport(await demo.run(kills), counted);
    out.result(report);
    return report.ok ? exitCodes.ok : exitCodes.failure;
  } finally {
    counted.close();
    stop();
    await pair.powerOff();
    started.clean(false);
  }
}

/** Where the guest's counter is to be reached; null: the guest has no network, and the demo says why. */
async function publishedPort(guest: string, out: DemoOutput): Promise<PublishedPort | null> {
  const network = await demoNetwork(guest, out);
  if (network.kind === "none") {
    out.progress(`the numbers come on the guest's console, not over TCP: ${network.why}`);
    return null;
  }
  return {
    ...{ host: "127.0.0.1", hostPort: await freePort() },
    ...{ guestPort: counterPort, protocol: "tcp" },
  };
}

function demoNetwork(guest: string, out: DemoOutput): Promise<NetworkChoice> {
  const onProgress = (text: string) => out.progress(text);
  if (guest === "default") return prepareNetwork({ mayBuild: true, onProgress });
  return Promise.resolve({ kind: "none", why: `the guest "${guest}" has no counter there` });
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
