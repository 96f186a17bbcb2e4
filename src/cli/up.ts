/** `lockstep up`: a fault-tolerant pair on this computer, with its console in this terminal. */
import { Command, InvalidArgumentError } from "commander";
import { describePort, type PublishedPort } from "../gateway/published-port.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { type DetachKey, defaultDetachKey, parseDetachKey } from "./detach-key.ts";
import { portLine } from "./network-line.ts";
import { parseMemory } from "./options.ts";
import { describeEvent, type PairEnd, type PairEvent, type PairView } from "./pair/events.ts";
import type { Pair } from "./pair/pair.ts";
import { type NetworkOptions, startPair } from "./pair/start-pair.ts";
import { checkName, requireFreeName } from "./pair/state-directory.ts";
import { pairLine } from "./pair-line.ts";
import { prepareGuest } from "./prepare-guest.ts";
import { prepareNetwork } from "./prepare-network.ts";
import { type NetworkOption, parseNetwork, parsePublish } from "./publish-option.ts";
import { parseReady, type ReadyCondition } from "./ready-condition.ts";
import { Terminal } from "./terminal.ts";
import { openWebPage, type WebPage } from "./web-page.ts";

interface Flags {
  readonly name: string;
  readonly guest: string;
  readonly memory: number;
  /** 0: any free port. */
  readonly web: number | "off";
  readonly detachKey: DetachKey;
  readonly publish: readonly PublishedPort[];
  readonly network: NetworkOption;
  readonly ready?: ReadyCondition;
}

const lookIntervalMs = 200;

const publishHelp =
  "a port of this computer that leads to one of the guest: [host:]hostPort:guestPort[/udp]; repeatable";
const networkHelp = '"auto": where gvproxy is installed or was built before; or "off"';
const readyHelp = "when the guest counts as ready: tcp:PORT or console:TEXT";

export function upCommand(): Command {
  return new Command("up")
    .description("run a VM as a fault-tolerant pair on this computer")
    .option("--name <name>", "what the pair is called", "default")
    .option(
      "--guest <guest>",
      'what to run: "default", "servers", "tiny" or a directory',
      "default",
    )
    .option("--memory <MiB>", "memory of the guest", parseMemory, 128)
    .option("--publish <spec>", publishHelp, parsePublish, [])
    .option("--network <network>", networkHelp, parseNetwork, "auto")
    .option("--ready <condition>", readyHelp, parseReady)
    .option("--web <port>", 'port of the web page; 0: any free one, or "off"', parseWeb, 0)
    .option(
      "--detach-key <key>",
      "the key that detaches, such as ^]",
      parseDetachKey,
      defaultDetachKey,
    )
    .action((flags: Flags) => runCommand("up", () => run(flags)));
}

function parseWeb(text: string): number | "off" {
  if (text === "off") return text;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('expected a port from 0 to 65535, or "off"');
}

async function run(flags: Flags): Promise<number> {
  const { name, guest, memory } = flags;
  checkName(name);
  requireFreeName(name);
  requireConsistent(flags);
  const web = flags.web === "off" ? null : await openWebPage(flags.web);
  try {
    const network = await chooseNetwork(flags);
    await prepareGuest(guest, memory, (text) => say(text));
    return await runPair(flags, network, web);
  } finally {
    await web?.close();
  }
}

/** @throws CommandError for what cannot be had together. */
function requireConsistent({ guest, network, publish, ready }: Flags): void {
  const wish = networkWish(publish, ready);
  if (wish === null) return;
  if (network === "off") {
    const advice = "leave one of them away";
    throw new CommandError(exitCodes.usage, `${wish} needs the network, and it is off; ${advice}`);
  }
  if (guest === "tiny") {
    const why = 'the guest "tiny" has no network card driver';
    throw new CommandError(exitCodes.usage, `${wish} cannot be had: ${why}; use --guest default`);
  }
}

/** The option that makes no sense without a network; null: there is none. */
function networkWish(
  publish: readonly PublishedPort[],
  ready: ReadyCondition | undefined,
): string | null {
  const [first] = publish;
  if (first !== undefined) return `--publish ${describePort(first)}`;
  return ready?.kind === "tcp" ? `--ready tcp:${ready.port}` : null;
}

/** Null: the guest has none. @throws CommandError when the user needs one that cannot be had. */
async function chooseNetwork({ guest, network, publish, ready }: Flags) {
  if (network === "off" || guest === "tiny") return null;
  const wish = networkWish(publish, ready);
  const found = await prepareNetwork({ mayBuild: wish !== null, onProgress: say });
  if (found.kind === "there") return { publish };
  if (wish !== null) {
    throw new CommandError(exitCodes.noGvproxy, `${wish} cannot be had: ${found.why}`);
  }
  say(`the guest has no network: ${found.why}`);
  return null;
}

async function runPair(
  flags: Flags,
  network: NetworkOptions | null,
  web: WebPage | null,
): Promise<number> {
  const { name, guest, memory: memoryMiB, ready = null } = flags;
  let terminal: Terminal | null = null;
  const onEvent = (event: PairEvent) => {
    web?.onEvent(event);
    const text = describeEvent(event);
    if (terminal === null) say(text);
    else terminal.notice(text);
  };
  const onView = (view: PairView) => web?.onView(view);
  const { pair, clean } = await startPair({
    ...{ name, guest, memoryMiB, network, ready, lookIntervalMs, onEvent, onView },
  });
  const quit = quitter(pair);
  process.on("SIGTERM", quit).on("SIGINT", quit).on("SIGHUP", quit);
  web?.show(pair);
  pair.publishWeb(web?.address ?? null);
  if (web !== null) say(`web page: ${web.address}`);
  for (const port of network?.publish ?? []) say(portLine(port));
  terminal = openTerminal(flags, pair, quit);
  const end = await pair.ended;
  terminal?.close();
  clean(end.kind === "lost");
  return report(name, end);
}

/** Once: switch the VM off. Again: end everything now. */
function quitter(pair: Pair): () => void {
  let asked = false;
  return () => {
    if (asked) void pair.close().then(() => process.exit(exitCodes.failure));
    else void pair.powerOff();
    asked = true;
  };
}

function openTerminal({ detachKey }: Flags, pair: Pair, onQuit: () => void): Terminal | null {
  const { stdin: input, stdout: output } = process;
  if (!input.isTTY || !output.isTTY) return null;
  return new Terminal({
    ...{ input, output, detachKey, onQuit, detachQuits: false },
    console: { vm: pair.vm, key: pair.key, endpoints: pair.consoles },
    describe: () => pairLine(pair.view),
  });
}

function report(name: string, end: PairEnd): number {
  switch (end.kind) {
    case "powered off":
      say("the VM is powered off");
      return exitCodes.ok;
    case "lost": {
      const reason = `the VM is lost, both runners are gone: ${end.reason}`;
      throw new CommandError(
        exitCodes.vmLost,
        `${reason}; logs are kept until the next up of "${name}"`,
      );
    }
  }
}

function say(text: string): void {
  process.stdout.write(`[lockstep] ${text}\n`);
}
