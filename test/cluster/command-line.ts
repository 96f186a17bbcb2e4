/** The verbs of `npm run cluster`, their options, and what they do. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import os from "node:os";
import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { Cluster } from "./cluster.ts";
import { ClusterError } from "./cluster-error.ts";
import { prepareHelm } from "./helm.ts";
import { Interrupted } from "./interruption.ts";
import { type Level, levels } from "./layout.ts";
import { prepareParts } from "./parts.ts";
import { Records } from "./record.ts";
import { missingPackages } from "./required-programs.ts";
import { describeStatus } from "./status.ts";
import { type Profile, profiles } from "./timings.ts";

const badOptionsCode = 2;
const defaultName = "lockstep";
const nameOption = () => new Option("--name <name>", "which cluster").default(defaultName);

export function commandLine(): Command {
  const program = new Command("cluster")
    .description("A real Kubernetes cluster of several nodes on this machine (docs/testing.md).")
    .configureOutput({ outputError: (text, write) => write(`cluster: ${inOneLine(text)}\n`) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : badOptionsCode))
    .helpCommand(false)
    // What follows kubectl or exec is for the program that runs.
    .enablePositionalOptions();
  addUp(program);
  program
    .command("down")
    .description("end a cluster, in whatever state it is; nothing of it is left")
    .addOption(nameOption())
    .option("--all", "every cluster on this machine", false)
    .action(down);
  program
    .command("status")
    .description("what is there; without --name, of every cluster")
    .option("--name <name>", "only this cluster")
    .option("--json", "as one line of JSON", false)
    .action(status);
  addPassing(program, "kubectl", "kubectl of the cluster's version, as its administrator", kubectl);
  addPassing(program, "helm", "Helm, as its administrator; built the first time", helm);
  addPassing(program, "exec", "run a program inside a node: exec NODE PROGRAM ...", exec);
  for (const [verb, description, action] of nodeVerbs) {
    const command = program.command(`${verb} <node>`).description(description);
    command.addOption(nameOption()).action(async (node: string, { name }: Named) => {
      await action(await Cluster.open(name), node);
      say(`${node}: ${verb} done`);
    });
  }
  addPartition(program);
  for (const [verb, description, action] of clusterVerbs) {
    const command = program.command(verb).description(description);
    command.addOption(nameOption()).action(async ({ name }: Named) => {
      await action(await Cluster.open(name));
      say(`${verb} done`);
    });
  }
  addLoad(program);
  addPreparing(program);
  return program;
}

interface Named {
  readonly name: string;
}

/** Verbs that need a node and nothing else. */
const nodeVerbs: readonly [string, string, (cluster: Cluster, node: string) => Promise<void>][] = [
  ["power-off", "pull the power plug: all on it is gone at once", (c, node) => c.powerOff(node)],
  ["power-on", "boot a node that is switched off", (c, node) => c.powerOn(node)],
  ["heal", "end what partition and lose began", (c, node) => c.heal(node)],
  ["freeze", "stop every process on it, at the same moment", (c, node) => c.freeze(node)],
  ["thaw", "let them run on", (c, node) => c.thaw(node)],
  [
    "kubelet-stop",
    "end kubelet and keep it stopped; containers run on",
    (c, n) => c.kubeletStop(n),
  ],
  ["kubelet-start", "let kubelet run again", (c, node) => c.kubeletStart(node)],
];

const clusterVerbs: readonly [string, string, (cluster: Cluster) => Promise<void>][] = [
  ["api-stop", "end the API server as a crash would; the nodes live on", (c) => c.apiStop()],
  ["api-start", "start the API server again, and wait until it is ready", (c) => c.apiStart()],
];

function addUp(program: Command): void {
  program
    .command("up")
    .description("start a cluster; returns when it can be used")
    .addOption(nameOption())
    .option("--nodes <count>", "how many nodes (default: 3; of fake nodes 50)", parseCount)
    .addOption(new Option("--level <level>", "how much of it").choices(levels).default("nodes"))
    .addOption(
      new Option("--timings <profile>", "how fast a lost node is noticed")
        .choices(profiles)
        .default("fast"),
    )
    .action(up);
}

interface UpArguments extends Named {
  readonly nodes?: number;
  readonly level: Level;
  readonly timings: Profile;
}

async function up({ name, nodes, level, timings }: UpArguments): Promise<void> {
  const count = nodes === undefined ? {} : { nodes };
  const interruption = new AbortController();
  let code = 1;
  for (const signalName of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signalName, () => {
      say("interrupted; taking down what was started");
      code = 128 + os.constants.signals[signalName];
      interruption.abort();
    });
  }
  try {
    const { signal } = interruption;
    const cluster = await Cluster.up({ name, level, profile: timings, say, signal, ...count });
    process.stdout.write(describeStatus(await cluster.status()));
    if (!signal.aborted) return;
    await cluster.down();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
  process.exit(code);
}

async function down({ name, all }: Named & { all: boolean }): Promise<void> {
  const records = new Records();
  const names = all ? await records.names() : [name];
  await ofEach(names, async (one) => {
    await (await Cluster.open(one, records)).down();
    say(`cluster ${one} is gone`);
  });
  if (names.length === 0) say("there is no cluster");
}

async function status({ name, json }: { name?: string; json: boolean }): Promise<void> {
  const records = new Records();
  const names = name === undefined ? await records.names() : [name];
  const found = await ofEach(names, async (one) => (await Cluster.open(one, records)).status());
  if (name !== undefined && found.length === 0) return;
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else if (names.length === 0) say("there is no cluster; start one with: up");
  else process.stdout.write(found.map(describeStatus).join("\n"));
}

/** One that fails does not keep the others from their turn; the exit code tells. */
async function ofEach<T>(
  names: readonly string[],
  work: (name: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const name of names) {
    try {
      results.push(await work(name));
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    }
  }
  return results;
}

/** A verb whose arguments belong to the program that it runs. */
function addPassing(
  program: Command,
  verb: string,
  description: string,
  action: (cluster: Cluster, args: string[]) => Promise<number>,
): void {
  program
    .command(verb)
    .description(description)
    .addOption(nameOption())
    .argument("[arguments...]")
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[], { name }: Named) => {
      process.exitCode = await action(await Cluster.open(name), args);
    });
}

async function kubectl(cluster: Cluster, args: string[]): Promise<number> {
  const { program, env } = await cluster.kubectl();
  return await runAttached(program, args, env);
}

async function helm(cluster: Cluster, args: string[]): Promise<number> {
  const { program, env } = await cluster.helm(say);
  return await runAttached(program, args, env);
}

async function exec(cluster: Cluster, [node = "", ...rest]: string[]): Promise<number> {
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  if (command.length === 0) {
    throw new ClusterError("exec needs a node and a program: exec NODE PROGRAM ...");
  }
  const [program, args] = await cluster.execCommand(node, command);
  return await runAttached(program, args, process.env);
}

/** With our terminal. Ctrl-C is for the program. */
async function runAttached(
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  process.on("SIGINT", () => {});
  const child = spawn(program, args, { stdio: "inherit", env });
  const [code, signal]: [number | null, NodeJS.Signals | null] = await exited(child);
  return code ?? 128 + (signal === null ? 0 : os.constants.signals[signal]);
}

async function exited(
  child: ReturnType<typeof spawn>,
): Promise<[number | null, NodeJS.Signals | null]> {
  const [code, signal] = await once(child, "exit");
  return [code, signal];
}

function addPartition(program: Command): void {
  program
    .command("partition <node>")
    .description("cut a node off: pull its cable, or drop packets from and to some peers")
    .addOption(nameOption())
    .option("--from <peer...>", 'only from these: names of nodes, or "api"')
    .action(async (node: string, { name, from = [] }: Named & { from?: string[] }) => {
      await (await Cluster.open(name)).partition(node, from);
      say(`${node} is cut off from ${from.length === 0 ? "everything" : from.join(", ")}`);
    });
  program
    .command("lose <node> <percent>")
    .description("drop this share of the packets that go over the node's cable")
    .addOption(nameOption())
    .action(async (node: string, percent: string, { name }: Named) => {
      if (Number.isNaN(Number(percent)))
        throw new ClusterError(`"${percent}" is no share of packets; give 0.1 to 99.9`);
      await (await Cluster.open(name)).lose(node, Number(percent));
      say(`${node} loses ${percent} % of its packets`);
    });
}

function addLoad(program: Command): void {
  program
    .command("load <image>")
    .description("import the images of an OCI tar into every node")
    .addOption(nameOption())
    .action(async (image: string, { name }: Named) => {
      await (await Cluster.open(name)).load(image);
      say(`${image} is loaded`);
    });
}

function addPreparing(program: Command): void {
  program
    .command("prepare")
    .description(
      "build the programs and images of levels that are not in the cache, and Helm for tests of the chart",
    )
    .addOption(new Option("--level <level...>", "for what").choices(levels).default(["nodes"]))
    .action(async ({ level }: { level: Level[] }) => {
      const parts = await prepareParts(level, say);
      const steps = [...parts.steps, ...(await prepareHelm(level, say))];
      for (const { name, seconds } of steps) say(`${seconds.toFixed(1).padStart(6)} s  ${name}`);
      say(`everything for ${level.join(", ")} is there`);
    });
  program
    .command("packages")
    .description(
      "the Debian packages that a cluster needs and this machine lacks, for apt-get install",
    )
    .action(() => void process.stdout.write(`${missingPackages().join(" ")}\n`));
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a number from 1 to 9999");
}

/** Commander's sentence, and what it thinks was meant. */
function inOneLine(error: string): string {
  return error
    .replace(/^error: /, "")
    .trim()
    .replaceAll("\n", " ");
}

export function say(text: string): void {
  process.stderr.write(`cluster: ${text}\n`);
}
