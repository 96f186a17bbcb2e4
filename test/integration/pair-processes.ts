/**
 * Starts a pair as it really runs, for tests: the arbiter and the runners are processes of built
 * code, in a directory and on ports of their own. Whatever a test leaves running is killed with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createKeyFile } from "../../src/platform/key-file.ts";
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import type { RunnerRole, RunnerStatus } from "../../src/shared/protocol/status.ts";
import { ArbiterClient } from "../../src/storage-arbiter/record/arbiter-client.ts";
import type { GuestChoice } from "../../src/vm-runner/host/guest-files.ts";
import { freePort } from "./pair-ports.ts";

const host = "127.0.0.1";
/** Another build may be tested: the directory with cli/main.js in it. */
const dist = process.env["LOCKSTEP_DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url));
const program = path.join(dist, "cli", "main.js");

/** Every wait of a test is for a condition, and ends in failure after this long. */
const boundMs = 60_000;
const probeIntervalMs = 15;
const statusTimeoutMs = 2_000;

/** Waits until `probe` gives something. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | null | false> | T | null | false,
  evidence: () => string = () => "",
): Promise<T> {
  const end = performance.now() + boundMs;
  while (performance.now() < end) {
    const found = await probe();
    if (found !== null && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, probeIntervalMs));
  }
  throw new Error(`not within ${boundMs} ms: ${what}\n${evidence()}`);
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class TestProcess {
  readonly name: string;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #ending: Ending | null = null;
  #stdout = "";
  #stderr = "";

  constructor(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.name = name;
    this.#child = spawn(process.execPath, [program, ...args], {
      stdio: "pipe",
      env: { ...process.env, NODE_OPTIONS: "", LOCKSTEP_LOG_LEVEL: "debug", ...env },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.ended = once(this.#child, "close").then(([code, signal]) => {
      this.#ending = { code, signal };
      return this.#ending;
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isRunning(): boolean {
    return this.#ending === null;
  }

  /** The log lines of one kind: reports of the core are logged under their kind. */
  logged(message: string): readonly Record<string, unknown>[] {
    return this.#stderr
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg === message);
  }

  /** What it printed that is not a log line: a sentence for the user. */
  sentences(): string[] {
    return this.#stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  }

  /** Like a crash of the node, as far as others can tell. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  terminate(): void {
    this.#child.kill("SIGTERM");
  }

  /** The exit code; a test that waits for it in vain fails. */
  async exitCode(): Promise<number | null> {
    const evidence = () => this.evidence();
    const ending = await until(`${this.name} ends`, () => this.#ending, evidence);
    return ending.code;
  }

  evidence(): string {
    const state = this.#ending === null ? "runs" : `ended: ${JSON.stringify(this.#ending)}`;
    return `--- ${this.name} ${state}\n${this.#stdout}${this.#stderr.slice(-3_000)}`;
  }
}

export class TestRunner {
  readonly process: TestProcess;
  readonly place: Place;

  constructor(process: TestProcess, place: Place) {
    this.process = process;
    this.place = place;
  }

  get nonce(): string {
    const [line] = this.process.stdout.split("\n");
    if (line === undefined || line === "") throw new Error(`${this.process.name} is not ready`);
    return JSON.parse(line).nonce;
  }

  /** Null while it cannot be had: the runner starts, is frozen, or is gone. */
  async status(): Promise<RunnerStatus | null> {
    if (!this.process.isRunning) return null;
    try {
      const answer = await this.get("/status");
      // SAFETY: the runner's own answer; what is wrong in it fails the test that looks at it.
      return (await answer.json()) as RunnerStatus;
    } catch {
      return null;
    }
  }

  get(where: string, method = "GET"): Promise<Response> {
    const signal = AbortSignal.timeout(statusTimeoutMs);
    return fetch(`http://${host}:${this.place.http}${where}`, { method, signal });
  }
}

/** Where a half listens, and where it looks for the other one. */
export interface Place {
  readonly name: string;
  readonly port: number;
  readonly http: number;
  /** A proxy's port, where a test stands between the two. */
  peer: number;
}

function guestFlags(guest: GuestChoice): string[] {
  if (typeof guest === "string") return ["--guest", guest];
  const { kernel, initrd, commandLine } = guest;
  return ["--kernel", kernel, "--initrd", initrd, "--command-line", commandLine];
}

export interface RunnerChanges {
  readonly guest?: GuestChoice;
  readonly memory?: string;
  readonly vm?: string;
  readonly key?: string;
  readonly listen?: string;
  readonly http?: string;
  readonly peer?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly more?: readonly string[];
}

export interface PairOptions {
  readonly guest?: GuestChoice;
  readonly memoryMiB?: number;
  readonly withRecord?: boolean;
}

export class PairProcesses {
  readonly vm = randomUUID();
  readonly folder: string;
  readonly keyFile: string;
  readonly key: Uint8Array;
  readonly places: readonly [Place, Place];
  readonly #arbiterPort: number;
  readonly #client: ArbiterClient;
  readonly #guest: GuestChoice;
  readonly #memoryMiB: number;
  readonly #processes: TestProcess[] = [];
  #arbiter: TestProcess | null = null;

  private constructor(
    folder: string,
    ports: readonly number[],
    guest: GuestChoice,
    memoryMiB: number,
  ) {
    // SAFETY: `create` asks for exactly five ports.
    const [a, aHttp, b, bHttp, arbiter] = ports as [number, number, number, number, number];
    this.folder = folder;
    this.keyFile = path.join(folder, "key");
    this.key = createKeyFile(this.keyFile);
    this.places = [
      { name: "A", port: a, http: aHttp, peer: b },
      { name: "B", port: b, http: bHttp, peer: a },
    ];
    this.#arbiterPort = arbiter;
    this.#guest = guest;
    this.#memoryMiB = memoryMiB;
    const { vm, key } = this;
    this.#client = new ArbiterClient({ host, port: arbiter, vm, key, timeoutMs: 10_000 });
  }

  /** An arbiter with a record at epoch 0, and no runner yet. */
  static async create(options: PairOptions = {}): Promise<PairProcesses> {
    const { guest = "tiny", memoryMiB = 32, withRecord = true } = options;
    const folder = await mkdtemp(path.join(os.tmpdir(), "pair-"));
    const ports: number[] = [];
    while (ports.length < 5) ports.push(await freePort());
    const pair = new PairProcesses(folder, ports, guest, memoryMiB);
    await mkdir(path.join(folder, "records"));
    await pair.startArbiter();
    if (!withRecord) return pair;
    const answer = await pair.#client.apply({ kind: "create", vm: pair.vm });
    if (answer.kind !== "granted") throw new Error(`no record: ${JSON.stringify(answer)}`);
    return pair;
  }

  /** On the same address and the same records each time. */
  async startArbiter(): Promise<TestProcess> {
    const data = path.join(this.folder, "records");
    const flags = ["--data", data, "--key", this.keyFile, "--vm", this.vm, "--exit-with-parent"];
    const listen = `${host}:${this.#arbiterPort}`;
    const arbiter = this.#start("arbiter", ["arbiter", "--listen", listen, ...flags]);
    await this.until("the arbiter serves", () => arbiter.stdout.includes("ready"));
    this.#arbiter = arbiter;
    return arbiter;
  }

  /** The one that runs, or ran last. */
  get arbiter(): TestProcess {
    if (this.#arbiter === null) throw new Error("no arbiter was started");
    return this.#arbiter;
  }

  get arbiterAddress(): string {
    return `${host}:${this.#arbiterPort}`;
  }

  startRunner(place: Place, changes: RunnerChanges = {}): TestRunner {
    const flags = {
      vm: this.vm,
      memory: String(this.#memoryMiB),
      listen: `${host}:${place.port}`,
      peer: `${host}:${place.peer}`,
      arbiter: `${host}:${this.#arbiterPort}`,
      key: this.keyFile,
      http: `${host}:${place.http}`,
    };
    const { env, more = [], guest = this.#guest, ...changed } = changes;
    const args = Object.entries({ ...flags, ...changed }).flatMap(([k, v]) => [`--${k}`, v]);
    const name = `runner ${place.name}`;
    const all = ["runner", ...args, ...guestFlags(guest), "--exit-with-parent", ...more];
    const own = this.#start(name, all, env);
    return new TestRunner(own, place);
  }

  /** Both halves, paired. */
  async startPair(): Promise<{ primary: TestRunner; backup: TestRunner }> {
    const [a, b] = this.places;
    const runners = [this.startRunner(a), this.startRunner(b)] as const;
    const primary = await this.untilPaired(...runners);
    const backup = runners[0] === primary ? runners[1] : runners[0];
    return { primary, backup };
  }

  /** One more runner, where an earlier one stood; resolves when the pair is complete again. */
  async restart(primary: TestRunner, place: Place): Promise<TestRunner> {
    const backup = this.startRunner(place);
    await this.untilPaired(primary, backup);
    return backup;
  }

  /** Waits until one of the two is the primary and the other its backup; gives the primary. */
  untilPaired(one: TestRunner, other: TestRunner): Promise<TestRunner> {
    return this.until("the two are paired", async () => {
      const [mine, theirs] = await Promise.all([one.status(), other.status()]);
      if (mine === null || theirs === null) return null;
      const roles = `${mine.role}, ${theirs.role}`;
      if (roles === "primary, backup" && mine.backup === theirs.nonce) return one;
      return roles === "backup, primary" && theirs.backup === mine.nonce ? other : null;
    });
  }

  /** Waits until it executes the guest with nobody beside it. */
  untilAlone(runner: TestRunner): Promise<RunnerStatus> {
    return this.untilStatus("it runs alone", runner, (s) => s.live && s.backup === null);
  }

  untilRole(role: RunnerRole, runner: TestRunner): Promise<RunnerStatus> {
    return this.untilStatus(`it is ${role}`, runner, (status) => status.role === role);
  }

  untilStatus(
    what: string,
    runner: TestRunner,
    isWanted: (status: RunnerStatus) => boolean,
  ): Promise<RunnerStatus> {
    return this.until(`${runner.process.name}: ${what}`, async () => {
      const status = await runner.status();
      return status !== null && isWanted(status) ? status : null;
    });
  }

  /** Like `until`; its failure shows what every process said. */
  until<T>(what: string, probe: () => Promise<T | null | false> | T | null | false): Promise<T> {
    return until(what, probe, () => this.#processes.map((one) => one.evidence()).join("\n"));
  }

  async record(): Promise<VmRecord> {
    const answer = await this.#client.read();
    if (answer.kind !== "read" || answer.record === null) throw new Error(JSON.stringify(answer));
    return answer.record;
  }

  /** The record as a test wants it; only for tests that play a runner themselves. */
  get client(): ArbiterClient {
    return this.#client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.kill()));
    this.#client.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  #start(name: string, args: readonly string[], env?: NodeJS.ProcessEnv): TestProcess {
    const started = new TestProcess(`${name} (${this.#processes.length})`, args, env);
    this.#processes.push(started);
    return started;
  }
}
