/** `lockstep kill`: kills one half of a pair the hard way, to see the other go on. */
import { Argument, Command } from "commander";
import { exitCodes } from "../platform/exit-codes.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { processStart } from "./pair/process-start.ts";
import { readStatus } from "./pair/runner-client.ts";
import { type HalfEntry, type PairEntry, requireEntry } from "./pair/state-directory.ts";

interface Flags {
  readonly name: string;
}

type Role = "primary" | "backup";

export function killCommand(): Command {
  return new Command("kill")
    .description("kill the primary or the backup with SIGKILL")
    .addArgument(new Argument("<role>", "which half").choices(["primary", "backup"]))
    .option("--name <name>", "which pair", "default")
    .action((role: Role, flags: Flags) => runCommand("kill", () => run(role, flags)));
}

async function run(role: Role, { name }: Flags): Promise<number> {
  const { half, pid } = await findHalf(requireEntry(name), role);
  process.kill(pid, "SIGKILL");
  process.stdout.write(`killed the ${role}: runner ${half.id}, pid ${pid}, nonce ${half.nonce}\n`);
  return exitCodes.ok;
}

/**
 * The half with this role now. Only a process that says itself that it is this pair's runner, with
 * the pid that `up` started, is ever killed.
 */
async function findHalf(
  entry: PairEntry,
  role: Role,
): Promise<{ readonly half: HalfEntry; readonly pid: number }> {
  const statuses = await Promise.all(entry.halves.map(({ http }) => readStatus(http)));
  for (const [i, half] of entry.halves.entries()) {
    const status = statuses[i] ?? null;
    if (status === null || half.pid === null || status.vm !== entry.vm) continue;
    if (status.role !== role || status.nonce !== half.nonce || status.pid !== half.pid) continue;
    if (processStart(half.pid) !== null) return { half, pid: half.pid };
  }
  const seen = statuses.map((status) => status?.role ?? "no answer").join(" and ");
  throw new CommandError(
    exitCodes.notRunning,
    `pair "${entry.name}" has no ${role} now (its halves: ${seen}); nobody was killed`,
  );
}
