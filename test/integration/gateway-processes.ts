/** An arbiter and a gateway as processes of built code, and what tests do with them. */
import dgram from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createKeyFile } from "../../src/platform/key-file.ts";
import type { GatewayStatus } from "../../src/shared/protocol/gateway-status.ts";
import type { RecordRequest } from "../../src/shared/protocol/record.ts";
import { ArbiterClient } from "../../src/storage-arbiter/record/arbiter-client.ts";
import { FakeGuest } from "./gateway-guest.ts";
import { FakeRunner } from "./gateway-runner.ts";
import { freePort } from "./pair-ports.ts";
import { TestProcess, until } from "./pair-processes.ts";

const host = "127.0.0.1";
const vm = "gateway-test";
const repeatMs = 100;

export interface GatewayFlags {
  readonly publish?: readonly string[];
  readonly readyPort?: number;
  readonly key?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export class GatewayProcesses {
  readonly vm = vm;
  readonly folder: string;
  readonly keyFile: string;
  readonly key: Uint8Array;
  readonly #arbiterPort: number;
  readonly #records: ArbiterClient;
  readonly #processes: TestProcess[] = [];
  readonly #runners: FakeRunner[] = [];
  readonly #clients: UdpClient[] = [];
  /** The same for every gateway that is started, as for one that is started again. */
  readonly #port: number;
  readonly #http: number;

  private constructor(folder: string, [arbiter, port, http]: readonly [number, number, number]) {
    this.folder = folder;
    this.keyFile = path.join(folder, "key");
    this.key = createKeyFile(this.keyFile);
    this.#arbiterPort = arbiter;
    this.#port = port;
    this.#http = http;
    const { key } = this;
    this.#records = new ArbiterClient({ host, port: arbiter, vm, key, timeoutMs: 10_000 });
  }

  static async create(): Promise<GatewayProcesses> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "gateway-"));
    await mkdir(path.join(folder, "records"));
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    return new GatewayProcesses(folder, ports);
  }

  async startArbiter(): Promise<void> {
    const data = path.join(this.folder, "records");
    const flags = ["--data", data, "--key", this.keyFile, "--vm", vm, "--exit-with-parent"];
    const listen = `${host}:${this.#arbiterPort}`;
    const arbiter = this.#start("arbiter", ["arbiter", "--listen", listen, ...flags]);
    await this.until("the arbiter serves", () => arbiter.stdout.includes("ready"));
  }

  /** A gateway that may or may not come to serve. */
  startGateway(flags: GatewayFlags = {}): TestProcess {
    const { publish = [], readyPort, key = this.keyFile, env } = flags;
    const arbiter = `${host}:${this.#arbiterPort}`;
    const where = ["--listen", `${host}:${this.#port}`, "--http", `${host}:${this.#http}`];
    const args = ["gateway", "--vm", vm, "--arbiter", arbiter, "--key", key, ...where];
    for (const port of publish) args.push("--publish", port);
    if (readyPort !== undefined) args.push("--ready-port", String(readyPort));
    // What a gateway that was killed leaves there goes with the folder.
    const own = { TMPDIR: this.folder, ...env };
    return this.#start("gateway", [...args, "--exit-with-parent"], own);
  }

  /** A gateway that serves. */
  async serve(flags: GatewayFlags = {}): Promise<TestProcess> {
    const gateway = this.startGateway(flags);
    await this.until("the gateway serves", () => gateway.stdout.includes("ready"));
    return gateway;
  }

  /** Changes the record, one transition after the other. */
  async transitions(...requests: readonly RecordRequest[]): Promise<void> {
    for (const request of requests) {
      const answer = await this.#records.apply(request);
      if (answer.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(answer)}`);
    }
  }

  connect(guest: FakeGuest = new FakeGuest("guest"), key: Uint8Array = this.key): FakeRunner {
    const runner = new FakeRunner({ vm, key, port: this.#port, guest });
    this.#runners.push(runner);
    return runner;
  }

  /** A runner that is attached. */
  async attach(nonce: string, epoch: number, guest = new FakeGuest(nonce)): Promise<FakeRunner> {
    const runner = this.connect(guest).attach(nonce, epoch);
    await this.until(`${nonce} is attached`, () => runner.attached !== null);
    return runner;
  }

  get(where: string): Promise<Response> {
    return fetch(`http://${host}:${this.#http}${where}`, { signal: AbortSignal.timeout(2_000) });
  }

  async status(): Promise<GatewayStatus> {
    // SAFETY: the gateway's own answer; what is wrong in it fails the test that looks at it.
    return (await (await this.get("/status")).json()) as GatewayStatus;
  }

  /** Null while it cannot be had. */
  untilStatus(what: string, isWanted: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    return this.until(what, async () => {
      const status = await this.status().catch(() => null);
      return status !== null && isWanted(status) ? status : null;
    });
  }

  async udpClient(port: number): Promise<UdpClient> {
    const client = await UdpClient.open(port);
    this.#clients.push(client);
    return client;
  }

  until<T>(what: string, probe: () => Promise<T | null | false> | T | null | false): Promise<T> {
    return until(what, probe, () => this.#processes.map((one) => one.evidence()).join("\n"));
  }

  /** Ends whatever still runs. */
  async close(): Promise<void> {
    for (const runner of this.#runners) runner.close();
    for (const client of this.#clients) client.close();
    this.#records.close();
    await Promise.all(this.#processes.map((one) => one.kill()));
    await rm(this.folder, { recursive: true });
  }

  #start(name: string, args: readonly string[], env?: NodeJS.ProcessEnv): TestProcess {
    const process = new TestProcess(name, args, env);
    this.#processes.push(process);
    return process;
  }
}

/** Somebody outside, at a published UDP port. */
export class UdpClient {
  readonly answers: string[] = [];
  readonly #socket: dgram.Socket;

  private constructor(socket: dgram.Socket) {
    this.#socket = socket;
    socket.on("message", (bytes) => this.answers.push(bytes.toString()));
    // A port that nobody serves for a moment answers so.
    socket.on("error", () => {});
  }

  static async open(port: number): Promise<UdpClient> {
    const socket = dgram.createSocket("udp4");
    const client = new UdpClient(socket);
    socket.connect(port, host);
    await once(socket, "connect");
    return client;
  }

  say(text: string): void {
    this.#socket.send(text, () => {});
  }

  /** Says it again and again, as UDP may lose it, until `by` has answered. */
  async untilAnswered(text: string, by: string, rig: GatewayProcesses): Promise<void> {
    const timer = setInterval(() => this.say(text), repeatMs);
    this.say(text);
    try {
      await rig.until(`${by} answers ${text}`, () => this.answers.includes(`${by}:${text}`));
    } finally {
      clearInterval(timer);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Resident memory of a process in MiB, as the kernel counts it. */
export function memoryMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? Number.NaN) / 1024;
}

export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
