/** `lockstep replay`: executes a log again and compares every checksum in it. */
import process from "node:process";
import { Command } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { type ReplayEnd, replayLog } from "../vm-runner/replaying.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { withGuestErrors } from "./guest-errors.ts";

interface Flags {
  readonly log: string;
  readonly guest?: string;
  readonly quiet: boolean;
  readonly ignoreFingerprint: boolean;
}

export function replayCommand(): Command {
  return new Command("replay")
    .description("execute a log again, show its console, and compare every checksum in it")
    .requiredOption("--log <file>", "a log made with `lockstep record`")
    .option("--guest <guest>", "where the guest is now, if not where it was recorded")
    .option("--quiet", "do not show the console", false)
    .option("--ignore-fingerprint", "replay also what another kind of computer recorded", false)
    .addHelpText("after", exitCodeHelp)
    .action((flags: Flags) => runCommand("replay", () => withGuestErrors(() => replay(flags))));
}

const exitCodeHelp = `
Exit codes: ${exitCodes.ok} every checksum is equal, ${exitCodes.divergence} the replay diverged, \
${exitCodes.unreadableLog} the log cannot be read or belongs to another machine, \
${exitCodes.truncatedLog} the log was cut off and everything in it is equal.`;

async function replay(flags: Flags): Promise<number> {
  const end = await replayLog({
    log: flags.log,
    guest: flags.guest ?? null,
    ignoreFingerprint: flags.ignoreFingerprint,
    onProgress: note,
    onOutput: (output) => {
      if (output.kind === "console" && !flags.quiet) process.stdout.write(output.bytes);
    },
  });
  return report(end, flags.log);
}

function report({ steps, ended, truncated }: ReplayEnd, log: string): number {
  if (typeof ended === "object") {
    const code = ended.kind === "diverged" ? exitCodes.divergence : exitCodes.trapped;
    throw new CommandError(code, `${ended.kind} at step ${ended.index}: ${ended.what}`);
  }
  if (truncated) {
    const message = `${log} was cut off; its ${steps} whole steps were replayed and are equal`;
    throw new CommandError(exitCodes.truncatedLog, message);
  }
  note(`${steps} steps replayed, every checksum is equal`);
  return exitCodes.ok;
}

function note(text: string): void {
  process.stderr.write(`lockstep replay: ${text}\n`);
}
