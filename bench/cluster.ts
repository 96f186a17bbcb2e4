/**
 * `cluster`: what a user of Kubernetes sees: how soon a machine runs after `kubectl apply`, and how long a
 * TCP client of its counter, a line every 10 ms, hears nothing when a part of the cluster is lost. Three
 * real nodes with the chart installed as users install it. Each loss is that of the primary's half; the
 * client comes in by the NodePort of the gateway's node, which is another one.
 */
import process from "node:process";
import { Cluster } from "../test/cluster/cluster.ts";
import { CountingClient } from "../test/operator-e2e/counting-client.ts";
import { LockstepCluster } from "../test/operator-e2e/lockstep-cluster.ts";
import { conditionOf, Machine } from "../test/operator-e2e/machine.ts";
import { spreadOut } from "../test/operator-e2e/spread-out.ts";
import type { BenchOptions } from "./options.ts";
import { withOwnCluster } from "./own-cluster.ts";
import { type Row, row } from "./report.ts";

const usualRounds = 20;
const quickRounds = 3;
const nodes = 3;
const minutesToInstall = 4;
const minutesPerRound = 3;
const drainTimeoutS = 150;

/** With the fault tolerance that users get who say nothing about it. */
const spec = {
  network: {
    serviceType: "NodePort",
    ports: [{ name: "counter", port: 7000, guestPort: 7000 }],
    readiness: { tcpPort: 7000 },
  },
};

const losses = ["pod-kill", "pod-delete", "node-down", "partition", "drain"] as const;
type Loss = (typeof losses)[number];

interface Measured {
  readonly ready: number[];
  readonly faultTolerant: number[];
  readonly gaps: Readonly<Record<Loss, number[]>>;
  /** From the kill of the primary's process until the machine was fault tolerant again. */
  readonly restored: number[];
  /** Of each connection: numbers that were missing or came twice, and its own end. */
  readonly faults: number[];
}

export async function cluster(options: BenchOptions): Promise<readonly Row[]> {
  const rounds = options.rounds ?? (options.quick ? quickRounds : usualRounds);
  const { say } = options;
  say(`${rounds} rounds: about ${minutesToInstall + rounds * minutesPerRound} min`);
  // While the benchmark is being worked on, nobody waits for a new one.
  const known = process.env["LOCKSTEP_BENCH_CLUSTER"];
  if (known !== undefined) {
    return rows(await measure(await LockstepCluster.on(await Cluster.open(known)), rounds, say));
  }
  return await withOwnCluster({ level: "nodes", nodes, say }, async (own) => {
    const lockstep = await LockstepCluster.on(own);
    await lockstep.install();
    return rows(await measure(lockstep, rounds, say));
  });
}

async function measure(
  lockstep: LockstepCluster,
  rounds: number,
  say: BenchOptions["say"],
): Promise<Measured> {
  const measured: Measured = {
    ...{ ready: [], faultTolerant: [], restored: [], faults: [] },
    gaps: { "pod-kill": [], "pod-delete": [], "node-down": [], partition: [], drain: [] },
  };
  for (let round = 1; round <= rounds; round++) {
    const machine = new Machine(lockstep, `bench-${round}`);
    await create(machine, measured);
    for (const loss of losses) await lose(lockstep, machine, loss, measured);
    await machine.delete();
    await lockstep.until("its pods to be gone", async () => (await machine.pods()).length === 0);
    say(`round ${round} of ${rounds}: ${describe(measured)}`);
  }
  return measured;
}

async function create(machine: Machine, { ready, faultTolerant }: Measured): Promise<void> {
  const is = (type: string) =>
    machine.until(type, (status) => conditionOf(status, type)?.status === "True");
  const begin = performance.now();
  await machine.apply(spec);
  await is("Ready");
  ready.push(performance.now() - begin);
  await is("FaultTolerant");
  faultTolerant.push(performance.now() - begin);
}

/** The machine is whole before and after; the client counts from before the loss until it is mended. */
async function lose(
  lockstep: LockstepCluster,
  machine: Machine,
  loss: Loss,
  { gaps, restored, faults }: Measured,
): Promise<void> {
  await machine.whole();
  await spreadOut(lockstep, machine);
  const [primary, gateway] = [await machine.primary(), await machine.gateway()];
  const { epoch = 0 } = await machine.status();
  const at = lockstep.addressOf(gateway.node);
  const client = await CountingClient.connect(at, await machine.nodePort());
  const begin = performance.now();
  try {
    await happens(lockstep, machine, loss, primary);
    await machine.whole(epoch);
    if (loss === "pod-kill") restored.push(performance.now() - begin);
    await client.flows();
    gaps[loss].push(client.gapSince(begin));
    faults.push(client.problems.length);
  } finally {
    client.close();
  }
  await lockstep.mend();
}

/** To the half that is the primary. */
async function happens(
  { cluster: nodesOf, kubectl }: LockstepCluster,
  machine: Machine,
  loss: Loss,
  primary: { readonly pod: string; readonly node: string },
): Promise<void> {
  switch (loss) {
    case "pod-kill":
      return await machine.kill(primary);
    case "pod-delete":
      return await machine.deletePod(primary.pod, "--force", "--grace-period=0");
    case "node-down":
      return await nodesOf.powerOff(primary.node);
    case "partition":
      return await nodesOf.partition(primary.node);
    case "drain": {
      // Of this machine's runners: the operator and its other pods are not what is measured.
      const runners = `lockstep.dev/vm=${machine.name},lockstep.dev/component=runner`;
      const how = ["--ignore-daemonsets", "--force", "--delete-emptydir-data"];
      const args = ["drain", primary.node, ...how, `--pod-selector=${runners}`];
      await kubectl.run([...args, `--timeout=${drainTimeoutS}s`], {
        timeoutMs: (drainTimeoutS + 10) * 1_000,
      });
      await kubectl.run(["uncordon", primary.node]);
    }
  }
}

function rows({ ready, faultTolerant, gaps, restored, faults }: Measured): readonly Row[] {
  const lower = { better: "lower" } as const;
  const ms = (name: string, values: readonly number[], bound: number) =>
    row({ name, unit: "ms", ...lower, target: `max < ${bound}` }, values);
  return [
    ms("create-to-ready", ready, 10_000),
    ms("create-to-fault-tolerant", faultTolerant, 15_000),
    ms("gap-pod-kill", gaps["pod-kill"], 500),
    ms("gap-pod-delete", gaps["pod-delete"], 500),
    ms("gap-node-down", gaps["node-down"], 1_500),
    ms("gap-partition", gaps.partition, 1_500),
    ms("gap-drain", gaps.drain, 100),
    ms("redundancy-restored", restored, 15_000),
    row({ name: "faults", unit: "lines", ...lower, target: "max <= 0" }, faults),
  ];
}

function describe({ ready, faultTolerant, gaps, restored, faults }: Measured): string {
  const last = (values: readonly number[]) => `${Math.round(values.at(-1) ?? 0)} ms`;
  const lost = losses.map((loss) => `${loss} ${last(gaps[loss])}`).join(", ");
  const wrong = faults.reduce((sum, count) => sum + count, 0);
  return (
    `ready ${last(ready)}, fault tolerant ${last(faultTolerant)}; ${lost}; ` +
    `restored ${last(restored)}; ${wrong} faults until now`
  );
}
