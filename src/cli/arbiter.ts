/** `lockstep arbiter`: serves one VM's record to its runners. */
import { Command } from "commander";
import { exitCodes } from "../platform/exit-codes.ts";
import { KeyFileError } from "../platform/key-file.ts";
import { ArbiterError, startArbiter } from "../storage-arbiter/main.ts";
import { parseAddress, parseVm } from "./options.ts";

interface Flags {
  readonly listen: { readonly host: string; readonly port: number };
  readonly data: string;
  readonly key: string;
  readonly vm: string;
  readonly name: string;
}

export function arbiterCommand(): Command {
  return new Command("arbiter")
    .description("serve the record of who a VM's primary and backup are")
    .requiredOption("--listen <host:port>", "where to listen; port 0: any free one", parseAddress)
    .requiredOption("--data <directory>", "an existing directory that keeps the records")
    .requiredOption("--key <file>", "the VM's pre-shared key: 64 hexadecimal digits, mode 0600")
    .requiredOption("--vm <id>", "the VM whose key this is", parseVm)
    .option("--name <name>", "what this arbiter is called in the log", "arbiter")
    .addHelpText(
      "after",
      "\nWhen it serves, it prints one line of JSON: ready, and the port it listens on.",
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  try {
    const arbiter = await startArbiter({
      ...flags.listen,
      directory: flags.data,
      keyFile: flags.key,
      vm: flags.vm,
      name: flags.name,
    });
    const stop = () => void arbiter.stop();
    process.once("SIGTERM", stop).once("SIGINT", stop);
    process.stdout.write(`${JSON.stringify({ ready: true, port: arbiter.port })}\n`);
  } catch (error) {
    if (!(error instanceof ArbiterError || error instanceof KeyFileError)) throw error;
    process.stderr.write(`lockstep arbiter: ${error.message}\n`);
    const inUse = error instanceof ArbiterError && error.code === "address in use";
    process.exitCode = inUse ? exitCodes.addressInUse : exitCodes.usage;
  }
}
