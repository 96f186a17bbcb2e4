/** `lockstep runner`: one half of a pair; `lockstep up` starts two of them. */
import { Command, Option } from "commander";
import { collectBuffersWithObjects } from "../platform/garbage-collection.ts";
import { KeyFileError } from "../platform/key-file.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { signOfLifeMs } from "../shared/limits.ts";
import { InClusterError } from "../storage-arbiter/record/in-cluster.ts";
import { pairTimings } from "../vm-runner/failover/pair-timings.ts";
import { BootError } from "../vm-runner/host/boot-snapshot.ts";
import { type GuestChoice, GuestError } from "../vm-runner/host/guest-files.ts";
import { MachineSpecError } from "../vm-runner/machine/spec.ts";
import { AddressInUseError, type RunnerOptions, startRunner } from "../vm-runner/main.ts";
import type { Address } from "../vm-runner/wire/endpoint.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { exitWithParent } from "./exit-with-parent.ts";
import {
  parseAddress,
  parseEpoch,
  parseMemory,
  parseMilliseconds,
  parseVm,
  requireTimings,
} from "./options.ts";
import { parseIp, parseLease, parsePod, type RunnerWayFlags, runnerWay } from "./record-way.ts";

interface Flags extends RunnerWayFlags {
  readonly vm: string;
  readonly name: string;
  readonly guest: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly commandLine?: string;
  readonly memory: number;
  readonly listen: Address;
  readonly key: string;
  readonly http: Address;
  readonly control?: Address;
  readonly gateway?: Address;
  readonly heartbeat: number;
  readonly timeout: number;
  readonly lagTarget: number;
  readonly restartEpoch?: number;
  readonly leaveWait: number;
  readonly exitWithParent: boolean;
}

/** The console is the first serial port, and the machine's clock can be trusted. */
const commandLine = "console=ttyS0 tsc=reliable";

export function runnerCommand(): Command {
  return new Command("runner")
    .description("run one half of a fault-tolerant pair")
    .requiredOption("--vm <id>", "the VM's unique id", parseVm)
    .option("--name <name>", "what the pair is called", "default")
    .option(
      "--guest <guest>",
      'what to run: "default", "servers", "tiny" or a directory',
      "default",
    )
    .addOption(
      new Option("--kernel <file>", "a 32-bit Linux (bzImage) instead of a guest").conflicts(
        "guest",
      ),
    )
    .option("--initrd <file>", "the kernel's initial RAM disk")
    .option("--command-line <text>", `what the kernel is told (default: "${commandLine}")`)
    .option("--memory <MiB>", "memory of the guest", parseMemory, 128)
    .requiredOption("--listen <host:port>", "where this half listens (TCP and UDP)", parseAddress)
    .option("--arbiter <host:port>", "who keeps the record; with --peer", parseAddress)
    .option("--peer <host:port>", "where the other half listens", parseAddress)
    .option(
      "--lease <namespace/name>",
      "the Lease that is the record, instead of --arbiter; with --address and --pod",
      parseLease,
    )
    .option("--address <ip>", "where the other half reaches this one; on the same port", parseIp)
    .option("--pod <name>", "the pod that this half runs in", parsePod)
    .requiredOption("--key <file>", "the VM's pre-shared key: 64 hexadecimal digits, mode 0600")
    .requiredOption("--http <host:port>", "probes, metrics and status", parseAddress)
    .option(
      "--control <host:port>",
      "orders (HTTPS with the VM's key); without it they are taken at --http",
      parseAddress,
    )
    .option("--gateway <host:port>", "the guest's way to the network", parseAddress)
    .option(
      "--heartbeat <ms>",
      "time between two heartbeats",
      parseMilliseconds(10, 1_000),
      pairTimings.heartbeatIntervalMs,
    )
    .option(
      "--timeout <ms>",
      "silence after which the other half counts as lost",
      parseMilliseconds(3 * signOfLifeMs + 1, 10_000),
      pairTimings.failureTimeoutMs,
    )
    .option(
      "--lag-target <ms>",
      "how far the backup may be behind before the primary is slowed",
      parseMilliseconds(10, 1_000),
      pairTimings.lagTargetMs,
    )
    .option(
      "--restart-epoch <epoch>",
      "both halves of the record at this epoch are proven gone: begin the VM's life anew",
      parseEpoch,
    )
    .option(
      "--leave-wait <ms>",
      "when told to leave with nobody to hand over to, wait this long for somebody",
      parseMilliseconds(0, 600_000),
      0,
    )
    .option("--exit-with-parent", "end when standard input is closed", false)
    .action(async (flags: Flags) => {
      await runCommand("runner", () => run(flags));
      // Whatever holds the process open, such as what was begun before a port was found in use,
      // has nothing to say any more.
      process.exit();
    });
}

async function run(flags: Flags): Promise<number> {
  collectBuffersWithObjects();
  if (flags.exitWithParent) exitWithParent();
  const runner = await start(optionsOf(flags));
  process.on("SIGTERM", () => runner.terminate());
  // The terminal's Ctrl-C is for whoever started the pair.
  process.on("SIGINT", () => {});
  process.stdout.write(`${JSON.stringify({ ready: true, nonce: runner.nonce })}\n`);
  return runner.ended;
}

/** @throws CommandError for half a choice. */
function chooseGuest(flags: Flags): GuestChoice {
  const { guest, kernel, initrd } = flags;
  if (kernel !== undefined && initrd !== undefined) {
    return { kernel, initrd, commandLine: flags.commandLine ?? commandLine };
  }
  const lone = ["kernel", "initrd", "commandLine"] as const;
  const given = lone.find((name) => flags[name] !== undefined);
  if (given === undefined) return guest;
  const flag = given === "commandLine" ? "--command-line" : `--${given}`;
  throw new CommandError(
    exitCodes.usage,
    `${flag} "${flags[given]}" makes no guest; give --kernel and --initrd together`,
  );
}

/** @throws CommandError */
function optionsOf(flags: Flags): RunnerOptions {
  const { vm, name, memory: memoryMiB, listen, key: keyFile, http } = flags;
  const { control = null, gateway = null, restartEpoch = null } = flags;
  const timings = requireTimings({
    heartbeatIntervalMs: flags.heartbeat,
    failureTimeoutMs: flags.timeout,
    lagTargetMs: flags.lagTarget,
  });
  return {
    ...{ vm, name, memoryMiB, listen, keyFile, http, control, gateway, restartEpoch },
    leaveWaitMs: flags.leaveWait,
    ...{ guest: chooseGuest(flags), timings, record: runnerWay(flags) },
  };
}

async function start(options: RunnerOptions) {
  try {
    return await startRunner(options);
  } catch (error) {
    if (error instanceof AddressInUseError) {
      throw new CommandError(exitCodes.addressInUse, error.message);
    }
    const known = [KeyFileError, InClusterError, GuestError, MachineSpecError, BootError];
    if (!known.some((kind) => error instanceof kind) || !(error instanceof Error)) throw error;
    throw new CommandError(exitCodes.usage, error.message);
  }
}
