/** `lockstep kill`: kills a process of a pair the hard way, to see the others go on. */
import { Argument, Command } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { readGatewayStatus } from "./pair/gateway-client.ts";
import { processStart } from "./pair/process-start.ts";
import { readStatus } from "./pair/runner-client.ts";
import { type HalfEntry, type PairEntry, requireEntry } from "./pair/state-directory.ts";

interface Flags {
  readonly name: string;
}

type Role = "primary" | "backup";
const roles: readonly Role[] = ["primary", "backup"];

export function killCommand(): Command {
  return new Command("kill")
    .description("kill the primary, the backup or the gateway with SIGKILL")
    .addArgument(new Argument("<role>", "which process").choices([...roles, "gateway"]))
    .option("--name <name>", "which pair", "default")
    .action((role: Role | "gateway", { name }: Flags) =>
      runCommand("kill", () => (role === "gateway" ? killGateway(name) : killHalf(role, name))),
    );
}

async function killGateway(name: string): Promise<number> {
  const { gateway, vm } = requireEntry(name);
  const status = gateway === null ? null : await readGatewayStatus(gateway.http);
  if (gateway === null || status === null || status.vm !== vm || status.pid !== gateway.pid) {
    const why = gateway === null ? "its guest has no network" : "it does not answer";
    throw new CommandError(
      exitCodes.notRunning,
      `pair "${name}" has no gateway now (${why}); nobody was killed`,
    );
  }
  process.kill(status.pid, "SIGKILL");
  process.stdout.write(`killed the gateway: pid ${status.pid}\n`);
  return exitCodes.ok;
}

async function killHalf(role: Role, name: string): Promise<number> {
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
