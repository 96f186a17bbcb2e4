/**
 * `test-cluster`: how long the cluster that tests run on (docs/testing.md) takes to start and to end,
 * and how much memory it needs when it has nothing to do. `build-cold` builds all its programs and
 * images from nothing, downloads included, in a directory of its own; `--quick` leaves it out.
 */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster } from "../test/cluster/cluster.ts";
import { run } from "../test/cluster/run-program.ts";
import type { BenchOptions } from "./options.ts";
import { ownClusterName, untilEnd } from "./own-cluster.ts";
import { type Row, row } from "./report.ts";
import { pause } from "./waiting.ts";

const command = fileURLToPath(new URL("../test/cluster/main.ts", import.meta.url));
const defaultRounds = 5;
/** What starts with a cluster (addresses, leases, first collections) is over by then. */
const calmMs = 20_000;
const buildTimeoutMs = 3_600_000;

interface Measured {
  readonly apiReady: number[];
  readonly nodesReady: number[];
  readonly down: number[];
  readonly memory: number[];
}

export async function testCluster(options: BenchOptions): Promise<readonly Row[]> {
  const rounds = options.rounds ?? (options.quick ? 1 : defaultRounds);
  const measured: Measured = { apiReady: [], nodesReady: [], down: [], memory: [] };
  await untilEnd(async () => {
    for (let round = 1; round <= rounds; round++) {
      measured.apiReady.push(await apiReady());
      await nodes(measured);
      options.say(`round ${round} of ${rounds}: ${describe(measured)}`);
    }
  });
  const builds = options.quick ? [] : [await coldBuild(options)];
  const seconds = { unit: "s", better: "lower" } as const;
  return [
    row({ name: "api-ready", ...seconds, target: "p50 < 10" }, measured.apiReady),
    row({ name: "nodes-ready", ...seconds, target: "p50 < 40" }, measured.nodesReady),
    row({ name: "down", ...seconds, target: "p50 < 10" }, measured.down),
    row({ name: "memory", unit: "MiB", better: "lower", target: "p50 < 2048" }, measured.memory),
    ...builds.map((build) => row({ name: "build-cold", ...seconds, target: "p50 < 960" }, [build])),
  ];
}

async function apiReady(): Promise<number> {
  const [cluster, seconds] = await timed(() => Cluster.up({ name: ownClusterName, level: "api" }));
  await cluster.down();
  return seconds;
}

async function nodes(measured: Measured): Promise<void> {
  const [cluster, seconds] = await timed(() =>
    Cluster.up({ name: ownClusterName, level: "nodes", nodes: 3 }),
  );
  measured.nodesReady.push(seconds);
  await pause(calmMs);
  measured.memory.push((await cluster.status()).memoryBytes / 2 ** 20);
  const [, downSeconds] = await timed(() => cluster.down());
  measured.down.push(downSeconds);
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const begin = performance.now();
  return [await work(), (performance.now() - begin) / 1000];
}

function describe({ apiReady, nodesReady, down, memory }: Measured): string {
  const last = (values: readonly number[]) => values.at(-1)?.toFixed(1);
  return `api ${last(apiReady)} s, nodes ${last(nodesReady)} s, down ${last(down)} s, ${last(memory)} MiB`;
}

/** With no cache at all: neither of Lockstep, nor of Go, nor of Go's downloads. */
async function coldBuild({ say }: BenchOptions): Promise<number> {
  const directory = await mkdtemp(path.join(os.homedir(), ".lockstep-cold-build-"));
  const env = {
    ...process.env,
    LOCKSTEP_CACHE: path.join(directory, "lockstep"),
    GOCACHE: path.join(directory, "go-build"),
    GOMODCACHE: path.join(directory, "go-mod"),
    // Else Go makes its downloads read-only, and they could not be removed.
    GOFLAGS: "-modcacherw",
    LOCKSTEP_CLUSTER_BIN: "",
    KUBEBUILDER_ASSETS: "",
  };
  say("building everything from nothing: some minutes");
  try {
    const args = ["--no-warnings", command, "prepare", "--level", "nodes", "fake-nodes"];
    const [, seconds] = await timed(() =>
      run(process.execPath, args, { env, timeoutMs: buildTimeoutMs, onStderr: say }),
    );
    return seconds;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
