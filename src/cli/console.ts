/** `lockstep console`: the guest's console, from any terminal. */
import { once } from "node:events";
import { Command } from "commander";
import { readKeyFile } from "../platform/key-file.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { runCommand } from "./command-error.ts";
import { ConsoleClient, type ConsoleOptions } from "./console-client.ts";
import { type DetachKey, defaultDetachKey, parseDetachKey } from "./detach-key.ts";
import { readEntry, requireEntry, stateFiles } from "./pair/state-directory.ts";
import { Terminal } from "./terminal.ts";

interface Flags {
  readonly name: string;
  readonly detachKey: DetachKey;
}

/** How often is looked whether the pair still runs. */
const lookIntervalMs = 500;

export function consoleCommand(): Command {
  return new Command("console")
    .description("read and type on the guest's console")
    .option("--name <name>", "which pair", "default")
    .option(
      "--detach-key <key>",
      "the key that leaves, such as ^]",
      parseDetachKey,
      defaultDetachKey,
    )
    .addHelpText(
      "after",
      "\nWhen standard input is no terminal it is typed as it is, and output is shown until the VM ends.",
    )
    .action((flags: Flags) => runCommand("console", () => run(flags)));
}

async function run({ name, detachKey }: Flags): Promise<number> {
  const entry = requireEntry(name);
  const console = {
    vm: entry.vm,
    key: readKeyFile(stateFiles(name).key),
    endpoints: entry.halves.map(({ channel }) => channel),
  };
  const ended = new AbortController();
  const end = () => ended.abort();
  process.once("SIGTERM", end).once("SIGINT", end);
  const close =
    process.stdin.isTTY && process.stdout.isTTY
      ? openTerminal(name, console, detachKey, end)
      : openPipe(console, end);
  const timer = setInterval(() => {
    if (readEntry(name)?.vm !== entry.vm) end();
  }, lookIntervalMs);
  await once(ended.signal, "abort");
  clearInterval(timer);
  close();
  if (readEntry(name)?.vm !== entry.vm)
    process.stderr.write("lockstep console: the VM has ended\n");
  process.stdin.destroy();
  return exitCodes.ok;
}

type Target = Pick<ConsoleOptions, "vm" | "key" | "endpoints">;

function openTerminal(
  name: string,
  console: Target,
  detachKey: DetachKey,
  onQuit: () => void,
): () => void {
  const { stdin: input, stdout: output } = process;
  const describe = () => name;
  const options = { input, output, console, detachKey, describe, onQuit, detachQuits: true };
  const terminal = new Terminal(options);
  return () => terminal.close();
}

function openPipe(console: Target, onEnd: () => void): () => void {
  const { stdin, stdout, stderr } = process;
  const client = new ConsoleClient({
    ...console,
    position: null,
    onOutput: (bytes) => void stdout.write(bytes),
    onMissed: (bytes) => void stderr.write(`[lockstep] ${bytes} bytes are no longer kept\n`),
    onRoom: () => void stdin.resume(),
    onRefused: (message) => {
      stderr.write(`lockstep console: ${message}\n`);
      onEnd();
    },
  });
  // Whoever read our output has gone.
  stdout.on("error", onEnd);
  stdin.on("data", (bytes: Buffer) => {
    if (!client.write(bytes)) stdin.pause();
  });
  return () => client.close();
}
