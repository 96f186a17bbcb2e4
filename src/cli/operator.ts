/** `lockstep operator`: looks after the FTVirtualMachines of a cluster. */
import { Command, InvalidArgumentError, Option } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { collect, parseAddress, parsePort } from "./options.ts";

interface Flags {
  readonly namespace: readonly string[];
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly imagePullSecret: readonly string[];
  readonly http: { readonly host: string; readonly port: number };
  readonly leaderElectionNamespace: string;
  readonly leaderElectionName: string;
  readonly apiServerPort: readonly number[];
  readonly workers: number;
  readonly kubeconfig?: string;
}

/** Labels of the operator's own pods, wherever it is installed. */
const operatorLabels = {
  "app.kubernetes.io/name": "lockstep",
  "app.kubernetes.io/component": "operator",
};

export function operatorCommand(): Command {
  return new Command("operator")
    .description("look after the FTVirtualMachines of a Kubernetes cluster")
    .requiredOption("--image <reference>", "image of runners and gateways")
    .option(
      "--namespace <name>",
      'whose machines it looks after, or "all"; may be given again (default: all)',
      collect(parseNamespace),
      [],
    )
    .addOption(
      new Option("--image-pull-policy <policy>", "of runners and gateways")
        .choices(["Always", "IfNotPresent", "Never"])
        .default("IfNotPresent"),
    )
    .option(
      "--image-pull-secret <name>",
      "a Secret of each machine's namespace; may be given again",
      collect((name) => name),
      [],
    )
    .option("--http <host:port>", "probes and metrics; port 0: any free", parseAddress, {
      host: "0.0.0.0",
      port: 8080,
    })
    .requiredOption("--leader-election-namespace <name>", "where the operator itself lives")
    .option(
      "--leader-election-name <name>",
      "Lease by which one of several operators acts",
      "lockstep-operator",
    )
    .option(
      "--api-server-port <port>",
      "of the API server, as network policies see it; may be given again (default: 443, 6443)",
      collect(parsePort),
      [],
    )
    .option("--workers <number>", "machines that are looked at at the same time", parseWorkers, 8)
    .option("--kubeconfig <file>", "how to reach the API server (default: as a pod does)")
    .addHelpText(
      "after",
      `
When it serves, it prints one line of JSON: ready, http, operator.
It ends with ${exitCodes.ok} after SIGTERM, with ${exitCodes.usage} if it was told something that cannot be used, with ${exitCodes.addressInUse} if
--http is taken, and with ${exitCodes.leaseLost} when its Lease was lost: it is to be started again.`,
    )
    .action(async (flags: Flags) => {
      await runCommand("operator", () => run(flags));
      // What was begun, such as a request to an API server that is gone, is of no interest any more.
      process.exit();
    });
}

async function run(flags: Flags): Promise<number> {
  // Loaded only here: the client of the API server takes more memory than all else of a runner's program.
  const { startOperator } = await import("../operator/main.ts");
  const { OperatorError } = await import("../operator/operator-error.ts");
  const all = flags.namespace.length === 0 || flags.namespace.includes("all");
  const { apiServerPort: ports, kubeconfig = null } = flags;
  try {
    const operator = await startOperator({
      kubeconfig,
      namespaces: all ? null : [...new Set(flags.namespace)],
      http: flags.http,
      lease: { namespace: flags.leaderElectionNamespace, name: flags.leaderElectionName },
      workers: flags.workers,
      settings: {
        image: flags.image,
        imagePullPolicy: flags.imagePullPolicy,
        imagePullSecrets: flags.imagePullSecret,
        operatorNamespace: flags.leaderElectionNamespace,
        operatorLabels,
        apiServerPorts: ports.length === 0 ? [443, 6443] : ports,
      },
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => void operator.stop());
    }
    const { httpPort: http, self } = operator;
    process.stdout.write(`${JSON.stringify({ ready: true, http, operator: self })}\n`);
    return await operator.ended;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const inUse = error.code === "address in use";
    throw new CommandError(inUse ? exitCodes.addressInUse : exitCodes.usage, error.message);
  }
}

function parseNamespace(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('expected the name of a namespace, or "all"');
  }
  return text;
}

const workersMax = 64;

function parseWorkers(text: string): number {
  const workers = Number(text);
  if (!/^\d{1,3}$/.test(text) || workers < 1 || workers > workersMax) {
    throw new InvalidArgumentError(`expected a number from 1 to ${workersMax}`);
  }
  return workers;
}
