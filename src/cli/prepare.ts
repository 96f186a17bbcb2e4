/**
 * `lockstep prepare`: builds a guest and boots it once, ahead of time, so that VMs of it start in a
 * second. An image of Lockstep is made with it.
 */
import { Command } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { runCommand } from "./command-error.ts";
import { parseMemory } from "./options.ts";
import { prepareGuest } from "./prepare-guest.ts";

interface Flags {
  readonly guest: string;
  readonly memory: number;
}

export function prepareCommand(): Command {
  return new Command("prepare")
    .description("build a guest and boot it once, so that VMs of it start fast")
    .option(
      "--guest <guest>",
      'what to prepare: "default", "servers", "tiny" or a directory',
      "default",
    )
    .option("--memory <MiB>", "memory of the guest", parseMemory, 128)
    .action((flags: Flags) => runCommand("prepare", () => run(flags)));
}

async function run({ guest, memory }: Flags): Promise<number> {
  const say = (text: string) => void process.stderr.write(`lockstep prepare: ${text}\n`);
  const snapshot = await prepareGuest(guest, memory, say);
  process.stdout.write(`${JSON.stringify({ ready: true, snapshot })}\n`);
  return exitCodes.ok;
}
