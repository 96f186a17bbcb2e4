/** The lockstep command: one program, a subcommand for each component and for each use. */
import process from "node:process";
import { Command, CommanderError } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { arbiterCommand } from "./arbiter.ts";
import { consoleCommand } from "./console.ts";
import { demoCommand } from "./demo.ts";
import { gatewayCommand } from "./gateway.ts";
import { killCommand } from "./kill.ts";
import { operatorCommand } from "./operator.ts";
import { prepareCommand } from "./prepare.ts";
import { recordCommand } from "./record.ts";
import { replayCommand } from "./replay.ts";
import { runnerCommand } from "./runner.ts";
import { statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { upCommand } from "./up.ts";

const program = new Command("lockstep")
  .description("fault-tolerant virtual machines: a primary and a backup in virtual lockstep")
  .addCommand(demoCommand())
  .addCommand(upCommand())
  .addCommand(statusCommand())
  .addCommand(killCommand())
  .addCommand(consoleCommand())
  .addCommand(stopCommand())
  .addCommand(prepareCommand())
  .addCommand(recordCommand())
  .addCommand(replayCommand())
  .addCommand(runnerCommand())
  .addCommand(arbiterCommand())
  .addCommand(gatewayCommand())
  .addCommand(operatorCommand());

// Commander prints the sentence itself; only the exit code is ours.
for (const command of [program, ...program.commands]) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}
