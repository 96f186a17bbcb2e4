/**
 * The benchmarks: `npm run bench -- NAME [--json] [--quick] [--rounds R] [--n N] [--machines M]`. They are
 * measured, never tested: a busy computer makes them slower, not wrong.
 */
import { parseArgs } from "node:util";
import { cluster } from "./cluster.ts";
import { cpu } from "./cpu.ts";
import { failover } from "./failover.ts";
import { log } from "./log.ts";
import { memory } from "./memory.ts";
import { network } from "./network.ts";
import { operatorScale } from "./operator-scale.ts";
import type { BenchOptions } from "./options.ts";
import { removeFiles } from "./pinned-pair.ts";
import { killAll, usableCores } from "./processes.ts";
import { describeMachine, type Row, table } from "./report.ts";
import { sim } from "./sim.ts";
import { testCluster } from "./test-cluster.ts";
import { transfer } from "./transfer.ts";

const benches: Record<string, (options: BenchOptions) => Promise<readonly Row[]>> = {
  cluster,
  cpu,
  failover,
  log,
  memory,
  network,
  "operator-scale": operatorScale,
  sim,
  "test-cluster": testCluster,
  transfer,
};

const usage = `usage: npm run bench -- NAME [--json] [--quick] [--rounds R] [--n N] [--machines M]
NAME is one of ${Object.keys(benches).join(", ")}
  --json      print the result as one line of JSON, and nothing else on standard output
  --quick     at most two minutes; the figures are rough
  --rounds R  how often each thing is measured (all but failover)
  --n N       how many kills, and how many freezes (failover, network)
  --machines M  how many machines (operator-scale)
`;
const interruptedCode = 130;

process.once("exit", clean);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(interruptedCode));
}
try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
process.exit(0);

async function main(): Promise<void> {
  const { name, run, json, options } = parse();
  const rows = await run(options);
  const report = { name, machine: describeMachine(), rows };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : table(report));
}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      n: { type: "string" },
      machines: { type: "string" },
    },
  });
  const [name = "", ...others] = positionals;
  const run = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (run === undefined || others.length > 0) {
    throw new Error(`there is no benchmark "${positionals.join(" ")}"\n${usage}`);
  }
  const say = (text: string) => void process.stderr.write(`bench ${name}: ${text}\n`);
  const options: BenchOptions = {
    quick: values.quick,
    rounds: count("--rounds", values.rounds),
    n: count("--n", values.n),
    machines: count("--machines", values.machines),
    say,
    cores: chooseCores(say),
  };
  return { name, run, json: values.json, options };
}

function count(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new Error(`${option} is "${text}"; give a number from 1 to 9999`);
}

function chooseCores(say: (text: string) => void): readonly [number, number] {
  const [first = 0, second] = usableCores();
  if (second === undefined) say("only one core may be used: the two halves share it");
  return [first, second ?? first];
}

function clean(): void {
  killAll();
  removeFiles();
}
