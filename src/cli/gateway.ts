/** `lockstep gateway`: the outside end of a VM's network; `lockstep up` starts one for its pair. */
import { Command } from "commander";
import { GatewayError, type GatewayErrorCode } from "../gateway/gateway-error.ts";
import { type RunningGateway, startGateway } from "../gateway/main.ts";
import type { PublishedPort } from "../gateway/published-port.ts";
import { collectBuffersWithObjects } from "../platform/garbage-collection.ts";
import { KeyFileError } from "../platform/key-file.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { InClusterError } from "../storage-arbiter/record/in-cluster.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { parseAddress, parsePort, parseVm } from "./options.ts";
import { parsePublish } from "./publish-option.ts";
import { type GatewayWayFlags, gatewayWay, parseLease } from "./record-way.ts";

interface Flags extends GatewayWayFlags {
  readonly vm: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly key: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly publish: readonly PublishedPort[];
  readonly readyPort?: number;
  readonly exitWithParent: boolean;
}

export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("hold the outside end of a VM's network")
    .requiredOption("--vm <id>", "the VM's unique id", parseVm)
    .requiredOption("--listen <host:port>", "where runners connect; port 0: any free", parseAddress)
    .option("--arbiter <host:port>", "who keeps the record", parseAddress)
    .option(
      "--lease <namespace/name>",
      "the Lease that is the record, instead of --arbiter",
      parseLease,
    )
    .requiredOption("--key <file>", "the VM's pre-shared key: 64 hexadecimal digits, mode 0600")
    .requiredOption(
      "--http <host:port>",
      "probes, metrics and status; port 0: any free",
      parseAddress,
    )
    .option(
      "--publish <[host:]hostPort:guestPort[/udp]>",
      "lead a port of this computer to one of the guest; may be given again; host: 127.0.0.1",
      parsePublish,
      [],
    )
    .option("--ready-port <port>", "the guest is ready when this TCP port accepts", parsePort)
    .option("--exit-with-parent", "end when standard input is closed", false)
    .addHelpText(
      "after",
      "\nWhen it serves, it prints one line of JSON: ready, port (for runners), http, gateway.",
    )
    .action(async (flags: Flags) => {
      await runCommand("gateway", () => run(flags));
      // Whatever was begun before something was refused has nothing to say any more.
      process.exit();
    });
}

async function run(flags: Flags): Promise<number> {
  let gateway: RunningGateway | null = null;
  const stop = () => {
    // What it waits for at the start, such as a build, is of no interest any more.
    if (gateway === null) process.exit(exitCodes.ok);
    void gateway.stop();
  };
  process.once("SIGTERM", stop);
  collectBuffersWithObjects();
  if (flags.exitWithParent) {
    // The terminal's Ctrl-C is for whoever started the pair.
    process.on("SIGINT", () => {});
    process.stdin.once("error", stop).once("end", stop).resume();
  } else {
    process.once("SIGINT", stop);
  }
  gateway = await start(flags);
  const { port, httpPort: http, number } = gateway;
  process.stdout.write(`${JSON.stringify({ ready: true, port, http, gateway: number })}\n`);
  return gateway.ended;
}

const exitCodeOf: Readonly<Record<GatewayErrorCode, number>> = {
  "bad configuration": exitCodes.usage,
  "address in use": exitCodes.addressInUse,
  "no gvproxy": exitCodes.noGvproxy,
  refused: exitCodes.refused,
};

async function start(flags: Flags): Promise<RunningGateway> {
  const { vm, listen, key: keyFile, http, publish: ports, readyPort = null } = flags;
  const record = gatewayWay(flags);
  try {
    return await startGateway({ vm, listen, record, keyFile, http, ports, readyPort });
  } catch (error) {
    if (error instanceof GatewayError) {
      throw new CommandError(exitCodeOf[error.code], error.message);
    }
    if (error instanceof KeyFileError || error instanceof InClusterError) {
      throw new CommandError(exitCodes.usage, error.message);
    }
    throw error;
  }
}
