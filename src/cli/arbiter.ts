/** `lockstep arbiter`: serves one VM's record to its runners. */
import { Command } from "commander";
import { KeyFileError } from "../platform/key-file.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { ArbiterError, type ArbiterOptions, startArbiter } from "../storage-arbiter/main.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { parseAddress, parseVm } from "./options.ts";

interface Flags {
  readonly listen: { readonly host: string; readonly port: number };
  readonly data: string;
  readonly key: string;
  readonly vm: string;
  readonly name: string;
  readonly exitWithParent: boolean;
}

export function arbiterCommand(): Command {
  return new Command("arbiter")
    .description("serve the record of who a VM's primary and backup are")
    .requiredOption("--listen <host:port>", "where to listen; port 0: any free one", parseAddress)
    .requiredOption("--data <directory>", "an existing directory that keeps the records")
    .requiredOption("--key <file>", "the VM's pre-shared key: 64 hexadecimal digits, mode 0600")
    .requiredOption("--vm <id>", "the VM whose key this is", parseVm)
    .option("--name <name>", "what this arbiter is called in the log", "arbiter")
    .option("--exit-with-parent", "end when standard input is closed", false)
    .addHelpText(
      "after",
      "\nWhen it serves, it prints one line of JSON: ready, and the port it listens on.",
    )
    .action((flags: Flags) => runCommand("arbiter", () => run(flags)));
}

async function run(flags: Flags): Promise<number> {
  const { listen, data: directory, key: keyFile, vm, name } = flags;
  const arbiter = await start({ ...listen, directory, keyFile, vm, name });
  const stop = () => void arbiter.stop();
  process.once("SIGTERM", stop);
  if (flags.exitWithParent) {
    // The terminal's Ctrl-C is for whoever started the pair.
    process.on("SIGINT", () => {});
    process.stdin.once("error", stop).once("end", stop).resume();
  } else {
    process.once("SIGINT", stop);
  }
  process.stdout.write(`${JSON.stringify({ ready: true, port: arbiter.port })}\n`);
  return exitCodes.ok;
}

async function start(options: ArbiterOptions) {
  try {
    return await startArbiter(options);
  } catch (error) {
    if (error instanceof ArbiterError && error.code === "address in use") {
      throw new CommandError(exitCodes.addressInUse, error.message);
    }
    if (error instanceof ArbiterError || error instanceof KeyFileError) {
      throw new CommandError(exitCodes.usage, error.message);
    }
    throw error;
  }
}
