/** `lockstep stop`: switches a pair's VM off and waits until nothing of it runs. */
import { Command } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { processStart } from "./pair/process-start.ts";
import { requireEntry } from "./pair/state-directory.ts";

interface Flags {
  readonly name: string;
}

/** `up` itself kills what does not end in time, so this is far more than it needs. */
const stopTimeoutMs = 30_000;
const lookIntervalMs = 50;

export function stopCommand(): Command {
  return new Command("stop")
    .description("switch a pair's VM off")
    .option("--name <name>", "which pair", "default")
    .action((flags: Flags) => runCommand("stop", () => run(flags)));
}

async function run({ name }: Flags): Promise<number> {
  const { pid, processStart: started } = requireEntry(name);
  process.kill(pid, "SIGTERM");
  const deadline = performance.now() + stopTimeoutMs;
  while (processStart(pid) === started) {
    if (performance.now() > deadline) {
      throw new CommandError(
        exitCodes.failure,
        `process ${pid} of pair "${name}" still runs after ${stopTimeoutMs / 1000} s; ` +
          `end it with: kill -KILL ${pid}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, lookIntervalMs));
  }
  process.stdout.write(`pair "${name}" is stopped\n`);
  return exitCodes.ok;
}
