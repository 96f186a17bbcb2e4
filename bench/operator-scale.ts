/**
 * `operator-scale`: the operator with a thousand machines. A real control plane, nodes and pods that kwok
 * pretends, and runners that this process plays: they change their Leases and say how they are as real
 * ones do. The machines are made, some at a time; then the primaries of some are killed, all at once; then
 * nothing happens.
 */
import { KubernetesApi } from "../src/operator/kube/kubernetes-api.ts";
import { collectionPath } from "../src/operator/kube/resources.ts";
import type { Cluster } from "../test/cluster/cluster.ts";
import { MeasuredOperator } from "./operator-scale/measured-operator.ts";
import { PlayedRunners } from "./operator-scale/played-runners.ts";
import { makePodsLocal, nodesMax } from "./operator-scale/pod-network.ts";
import {
  countOf,
  type Histogram,
  histogramOf,
  histogramQuantile,
  largestBound,
  since,
  sumOf,
} from "./operator-scale/prometheus-text.ts";
import type { BenchOptions } from "./options.ts";
import { withOwnCluster } from "./own-cluster.ts";
import { type Row, rounded, row } from "./report.ts";
import { pause, until } from "./waiting.ts";

const usualMachines = 1_000;
const quickMachines = 100;
const machinesPerNamespace = 100;
/** Three pods each; a node takes 110. */
const machinesPerNode = 20;
const nodesMin = 3;
const killedShare = 0.05;
/** After the last change, before the minute in which nothing is to be written. */
const calmMs = 30_000;
const idleMs = 60_000;
const sampleMs = 500;
/** In the making at any time: more, and an API server on two cores takes longer for each write than it needs. */
const makersCount = 4;
/** Generous: a busy computer is slow, not wrong. */
const patienceMs = 300_000;

/** As examples/counter.yaml. */
const spec = {
  network: {
    ports: [{ name: "counter", port: 7000, guestPort: 7000 }],
    readiness: { tcpPort: 7000 },
  },
};

interface Measured {
  readonly reconcile: {
    readonly start: Histogram;
    readonly churn: Histogram;
    readonly all: Histogram;
  };
  readonly memoryMiB: readonly number[];
  readonly writesIdle: number;
  readonly writes: number;
  readonly cpuIdle: number;
  readonly readyS: number;
  readonly restoredS: number;
}

export async function operatorScale(options: BenchOptions): Promise<readonly Row[]> {
  const machines = options.machines ?? (options.quick ? quickMachines : usualMachines);
  const nodes = Math.max(nodesMin, Math.ceil(machines / machinesPerNode));
  if (nodes > nodesMax) {
    throw new Error(
      `${machines} machines are too many; give at most ${nodesMax * machinesPerNode}`,
    );
  }
  const minutes = Math.ceil(4 + machines / 120);
  options.say(`${machines} machines on ${nodes} simulated nodes: about ${minutes} min`);
  const givePodsBack = makePodsLocal();
  const level = { level: "fake-nodes", nodes, profile: "default" } as const;
  return await withOwnCluster({ ...level, say: options.say }, async (cluster) => {
    const measured = await measure(cluster, machines, options);
    givePodsBack();
    return rows(machines, measured);
  });
}

async function measure(
  cluster: Cluster,
  machines: number,
  { cores, say }: BenchOptions,
): Promise<Measured> {
  const api = KubernetesApi.open((await cluster.layout()).kubeconfig);
  const stop = new AbortController();
  const operator = await MeasuredOperator.start(cluster, cores);
  const runners = new PlayedRunners(api);
  await runners.start(stop.signal);
  const memoryMiB: number[] = [];
  const sampling = setInterval(() => memoryMiB.push(operator.memoryMiB), sampleMs);
  const reconciled = async () =>
    histogramOf(await operator.metrics(), "lockstep_operator_reconcile_seconds");
  const allFaultTolerant = () =>
    until(
      `${machines} machines to be fault tolerant`,
      () => (runners.cluster.faultTolerantCount === machines ? true : null),
      { everyMs: 200, timeoutMs: patienceMs },
    );
  try {
    const begin = performance.now();
    await makeMachines(api, runners, machines, say);
    await allFaultTolerant();
    const readyS = secondsSince(begin);
    const start = await reconciled();
    say(`all fault tolerant after ${readyS} s; ${countOf(start)} reconciliations`);

    const churnBegin = performance.now();
    const killed = keys(machines).filter((_, i) => i % Math.round(1 / killedShare) === 0);
    await Promise.all(killed.map((vm) => runners.killPrimary(vm)));
    await until("the operator to see it", () =>
      runners.cluster.faultTolerantCount < machines ? true : null,
    );
    await allFaultTolerant();
    const restoredS = secondsSince(churnBegin);
    const churn = since(start, await reconciled());
    say(`${killed.length} primaries killed; all fault tolerant again after ${restoredS} s`);

    await pause(calmMs);
    const idle = await idleMinute(operator, say);
    const all = await reconciled();
    return { reconcile: { start, churn, all }, memoryMiB, ...idle, readyS, restoredS };
  } finally {
    clearInterval(sampling);
    stop.abort();
    await operator.stop();
  }
}

/** @throws Error when the operator does not count what the API server counts */
async function idleMinute(operator: MeasuredOperator, say: (text: string) => void) {
  const cpu = async () => sumOf(await operator.metrics(), "process_cpu_seconds_total");
  const before = await operator.writes();
  const [renewals, cpuBefore] = [await operator.renewals(), await cpu()];
  await pause(idleMs);
  const cpuIdle = ((await cpu()) - cpuBefore) / (idleMs / 1000);
  const renewed = (await operator.renewals()) - renewals;
  const after = await operator.writes();
  const writesIdle = after.counted - before.counted;
  say(
    `a minute with ${writesIdle} writes, and ${renewed} of its leadership; since it began ` +
      `${after.counted} writes by the API server's count, ${after.own} by its own`,
  );
  if (after.own - before.own !== writesIdle || renewed === 0) {
    throw new Error(
      `the operator says that it wrote ${after.own - before.own} times; the API server says ${writesIdle}`,
    );
  }
  return { writesIdle, writes: after.counted, cpuIdle };
}

function rows(machines: number, measured: Measured): readonly Row[] {
  const lower = { better: "lower" } as const;
  const one = (name: string, unit: string, value: number, target?: string) =>
    row({ name, unit, ...lower, ...(target === undefined ? {} : { target }) }, [value]);
  const { reconcile, memoryMiB, writesIdle, writes, cpuIdle, readyS, restoredS } = measured;
  return [
    histogramRow("reconcile", reconcile.all, "p99 < 200"),
    histogramRow("reconcile-start", reconcile.start),
    histogramRow("reconcile-churn", reconcile.churn),
    row({ name: "memory", unit: "MiB", ...lower, target: "max < 300" }, memoryMiB),
    one("writes-idle", "writes/min", writesIdle, "max <= 0"),
    one("writes-per-machine", "writes", writes / machines),
    one("cpu-idle", "cores", cpuIdle),
    one("all-fault-tolerant", "s", readyS),
    one("churn-restored", "s", restoredS),
  ];
}

/** In milliseconds. Inside a bucket values are taken to lie evenly; `max` is what none exceeds. */
function histogramRow(name: string, histogram: Histogram, target?: string): Row {
  const ms = (seconds: number) => rounded(seconds * 1000);
  return {
    ...{ name, unit: "ms", better: "lower" },
    n: countOf(histogram),
    p50: ms(histogramQuantile(histogram, 0.5)),
    p99: ms(histogramQuantile(histogram, 0.99)),
    max: ms(largestBound(histogram)),
    ...(target === undefined ? {} : { target }),
  };
}

/** Of all machines: `namespace/name`. */
function keys(machines: number): readonly string[] {
  return Array.from({ length: machines }, (_, i) => {
    return `scale-${Math.floor(i / machinesPerNamespace) + 1}/vm-${i + 1}`;
  });
}

/** Resolves when the last one is fault tolerant; so many are in the making at any time. */
async function makeMachines(
  api: KubernetesApi,
  { cluster }: PlayedRunners,
  machines: number,
  say: BenchOptions["say"],
): Promise<void> {
  const all = keys(machines).map((key) => key.split("/"));
  for (const name of new Set(all.map(([namespace]) => namespace))) {
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await api.send({ method: "POST", path: "/api/v1/namespaces", body });
  }
  const rest = all.entries();
  const makers = Array.from({ length: makersCount }, async () => {
    for (const [i, [namespace = "", name = ""]] of rest) {
      const kind = "FTVirtualMachine";
      const body = { apiVersion: "lockstep.dev/v1alpha1", kind, metadata: { name }, spec };
      await api.send({ method: "POST", path: collectionPath(kind, namespace), body });
      const made = () => (cluster.isFaultTolerant(`${namespace}/${name}`) ? true : null);
      await until(`${name} to be fault tolerant`, made, { timeoutMs: patienceMs });
      if (i % machinesPerNamespace === 0) say(`${i + 1} of ${machines} machines`);
    }
  });
  await Promise.all(makers);
}

function secondsSince(beginMs: number): number {
  return rounded((performance.now() - beginMs) / 1000);
}
