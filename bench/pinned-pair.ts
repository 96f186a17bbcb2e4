/**
 * An arbiter, a gateway and runners from built code, each half pinned to a core of its own. `lockstep up` does
 * the same for users; a benchmark also wants to choose cores, freeze halves and start with one.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ConsoleClient } from "../src/cli/console-client.ts";
import { freePort } from "../src/cli/pair/free-port.ts";
import { readStatus } from "../src/cli/pair/runner-client.ts";
import { describePort, type PublishedPort } from "../src/gateway/published-port.ts";
import { createKeyFile } from "../src/platform/key-file.ts";
import type { RunnerStatus } from "../src/shared/protocol/status.ts";
import { ArbiterClient } from "../src/storage-arbiter/record/arbiter-client.ts";
import { type Child, firstLine, killed, lastWords, startPinned } from "./processes.ts";
import { until } from "./waiting.ts";

export interface PairOptions {
  readonly guest: string;
  readonly memoryMiB: number;
  /** Of the two halves. */
  readonly cores: readonly [number, number];
  /** Ports of the guest that its gateway serves here; without them there is no gateway. */
  readonly publish?: readonly PublishedPort[];
}

const host = "127.0.0.1";
/** The command as built; another build of it may be measured instead. */
const program =
  process.env["LOCKSTEP_BENCH_PROGRAM"] ??
  fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
export const temporary = mkdtempSync(path.join(os.tmpdir(), "lockstep-bench-"));

/** Keys and records of this benchmark's VMs. */
export function removeFiles(): void {
  rmSync(temporary, { recursive: true, force: true });
}

/** One half's place; the process in it changes. */
export interface Half {
  readonly core: number;
  readonly channel: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  child: Child | null;
}

export class PinnedPair {
  readonly halves: readonly [Half, Half];
  readonly vm: string;
  readonly #consoles: ConsoleClient[] = [];
  #closing = false;
  readonly #options: PairOptions;
  readonly #key: Uint8Array;
  readonly #keyFile: string;
  readonly #arbiter: Child;
  readonly #arbiterPort: number;
  readonly #gateway: RunningGateway | null;

  private constructor(options: PairOptions, parts: Made) {
    this.#options = options;
    this.halves = parts.halves;
    this.vm = parts.vm;
    this.#key = parts.key;
    this.#keyFile = parts.keyFile;
    this.#arbiter = parts.arbiter;
    this.#arbiterPort = parts.arbiterPort;
    this.#gateway = parts.gateway;
  }

  /** The arbiter serves and the VM's record is made; no half runs. */
  static async create(options: PairOptions): Promise<PinnedPair> {
    const vm = randomUUID();
    const data = path.join(temporary, vm);
    mkdirSync(data);
    const keyFile = path.join(temporary, `${vm}.key`);
    const key = createKeyFile(keyFile);
    const where = ["--listen", `${host}:0`, "--data", data, "--key", keyFile, "--vm", vm];
    const arbiter = startPinned(options.cores[1], [
      program,
      "arbiter",
      ...where,
      "--exit-with-parent",
    ]);
    const { port: arbiterPort }: { port: number } = JSON.parse(await firstLine(arbiter));
    arbiter.stdout.resume();
    const client = new ArbiterClient({ host, port: arbiterPort, vm, key, timeoutMs: 10_000 });
    const created = await client.apply({ kind: "create", vm });
    client.close();
    if (created.kind !== "granted") throw new Error(`no record: ${JSON.stringify(created)}`);
    const gateway = await startGateway(options, ["--key", keyFile, "--vm", vm], arbiterPort);
    const halves = [await makeHalf(options.cores[0]), await makeHalf(options.cores[1])] as const;
    return new PinnedPair(options, { vm, key, keyFile, arbiter, arbiterPort, gateway, halves });
  }

  /** Both halves run and the pair is redundant; the first half is the primary. */
  static async start(options: PairOptions): Promise<PinnedPair> {
    const pair = await PinnedPair.create(options);
    await pair.startHalf(0);
    await until("the first half is alone and live", () => pair.livePrimary());
    await pair.startHalf(1);
    await pair.redundant();
    return pair;
  }

  /** Resolves when the runner serves. */
  async startHalf(index: 0 | 1): Promise<void> {
    const half = this.halves[index];
    const peer = this.halves[index === 0 ? 1 : 0];
    const { guest, memoryMiB } = this.#options;
    const address = ({ port }: { readonly port: number }) => `${host}:${port}`;
    const child = startPinned(half.core, [
      ...[program, "runner", "--vm", this.vm, "--guest", guest, "--memory", String(memoryMiB)],
      ...["--listen", address(half.channel), "--peer", address(peer.channel)],
      ...["--http", address(half.http), "--arbiter", address({ port: this.#arbiterPort })],
      ...["--key", this.#keyFile, "--exit-with-parent"],
      ...(this.#gateway === null ? [] : ["--gateway", address(this.#gateway)]),
    ]);
    half.child = child;
    child.once("close", (code) => {
      if (half.child !== child) return;
      half.child = null;
      // The benchmark killed it when there is no code.
      if (code !== null) this.#onEnded(index, `ended with code ${code}: ${lastWords(child)}`);
    });
    await firstLine(child);
    child.stdout.resume();
  }

  /** A half that ended by itself (a busy computer looks like a failure) is started again. */
  #onEnded(index: 0 | 1, how: string): void {
    process.stderr.write(`bench: half ${index} ${how}\n`);
    if (this.#closing) return;
    this.startHalf(index).catch((error: unknown) =>
      process.stderr.write(`bench: ${String(error)}\n`),
    );
  }

  /** A console client, which follows the primary. */
  console(
    onOutput: (bytes: Uint8Array) => void,
    onMissed?: (bytes: number) => void,
  ): ConsoleClient {
    const client = new ConsoleClient({
      vm: this.vm,
      key: this.#key,
      endpoints: this.halves.map(({ channel }) => channel),
      position: null,
      onOutput,
      ...(onMissed === undefined ? {} : { onMissed }),
    });
    this.#consoles.push(client);
    return client;
  }

  /** The half that is primary and records now, with its status. */
  async livePrimary(): Promise<{ half: Half; index: 0 | 1; status: RunnerStatus } | null> {
    for (const index of [0, 1] as const) {
      const half = this.halves[index];
      const status = await statusOf(half);
      if (status?.role === "primary" && status.live) return { half, index, status };
    }
    return null;
  }

  /** Resolves when a backup is named, with the primary. */
  redundant(): ReturnType<PinnedPair["livePrimary"]> {
    return until("the pair is redundant", async () => {
      const primary = await this.livePrimary();
      return primary === null || primary.status.backup === null ? null : primary;
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const client of this.#consoles) client.close();
    const children = [
      ...this.halves.map(({ child }) => child),
      ...[this.#gateway?.child ?? null, this.#arbiter],
    ];
    await Promise.all(children.map((child) => (child === null ? undefined : killed(child))));
  }
}

interface Made {
  readonly vm: string;
  readonly key: Uint8Array;
  readonly keyFile: string;
  readonly arbiter: Child;
  readonly arbiterPort: number;
  readonly gateway: RunningGateway | null;
  readonly halves: readonly [Half, Half];
}

interface RunningGateway {
  readonly child: Child;
  /** Where runners attach. */
  readonly port: number;
}

/** Beside the backup: a pair on two computers would have it on neither, or on the backup's. */
async function startGateway(
  { cores, publish }: PairOptions,
  identity: readonly string[],
  arbiterPort: number,
): Promise<RunningGateway | null> {
  if (publish === undefined) return null;
  const child = startPinned(cores[1], [
    ...[program, "gateway", ...identity, "--arbiter", `${host}:${arbiterPort}`],
    ...["--listen", `${host}:0`, "--http", `${host}:0`, "--exit-with-parent"],
    ...publish.flatMap((port) => ["--publish", describePort(port)]),
  ]);
  const { port }: { port: number } = JSON.parse(await firstLine(child));
  child.stdout.resume();
  return { child, port };
}

async function makeHalf(core: number): Promise<Half> {
  const [channel, http] = [
    { host, port: await freePort() },
    { host, port: await freePort() },
  ];
  return { core, channel, http, child: null };
}

/** Null for a half that has no process, or one that does not answer (a frozen one, say). */
export async function statusOf({ child, http }: Half): Promise<RunnerStatus | null> {
  return child === null ? null : readStatus(http);
}
