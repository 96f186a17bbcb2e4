/**
 * A Prometheus of a test's own: a process with its own directory and address, that ends with the test
 * that started it. What it scrapes is in its configuration and never changes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { until } from "../../../bench/waiting.ts";
import { ClusterError } from "../cluster-error.ts";

interface PrometheusOptions {
  /** From `prometheusConfiguration`. */
  readonly configuration: string;
  /** Host and port where it answers. */
  readonly listen: string;
  /** None: it is looked for on the PATH. */
  readonly program?: string;
  readonly timeoutMs?: number;
}

/** One of the series that an expression gives. */
interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Target {
  readonly scrapeUrl: string;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
}

const defaultTimeoutMs = 60_000;
const askTimeoutMs = 5_000;
const endTimeoutMs = 10_000;
const wordsMax = 1000;

export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(url: string, child: ChildProcess, directory: string) {
    this.url = url;
    this.#child = child;
    this.#directory = directory;
  }

  /** Resolves when it answers and has scraped all its targets. @throws ClusterError */
  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const { configuration, listen, timeoutMs = defaultTimeoutMs } = options;
    const program = options.program ?? findPrometheus(process.env["PATH"] ?? "");
    const directory = await mkdtemp(path.join(os.tmpdir(), "prometheus-"));
    const file = path.join(directory, "prometheus.yml");
    const data = path.join(directory, "data");
    await mkdir(data);
    await writeFile(file, configuration);
    const log = openSync(path.join(directory, "log"), "a");
    const storage = [`--storage.tsdb.path=${data}`, "--storage.tsdb.retention.time=1d"];
    const args = [`--config.file=${file}`, ...storage, `--web.listen-address=${listen}`];
    // Killed with the test, should that be killed.
    const command = ["--pdeathsig", "KILL", program, ...args];
    const child = spawn("setpriv", command, { stdio: ["ignore", log, log] });
    closeSync(log);
    const failed = once(child, "error").then(([error]) => {
      throw new ClusterError(`cannot run setpriv (of Debian's util-linux): ${String(error)}`);
    });
    const prometheus = new Prometheus(`http://${listen}`, child, directory);
    try {
      await Promise.race([failed, once(child, "spawn")]);
      await prometheus.#untilAllUp(timeoutMs);
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  /** The value of an expression now; empty where there is nothing. @throws ClusterError */
  async query(expression: string): Promise<Sample[]> {
    const answer = await this.#get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { resultType, result } = answer.data;
    if (resultType === "scalar") return [{ labels: {}, value: Number(result[1]) }];
    if (resultType !== "vector") {
      throw new ClusterError(`"${expression}" gives a ${resultType}; ask for a single moment`);
    }
    const series: readonly { metric: Record<string, string>; value: [number, string] }[] = result;
    return series.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Its data is gone after that. */
  async stop(): Promise<void> {
    const isRunning = () => this.#child.exitCode === null && this.#child.signalCode === null;
    if (this.#child.pid !== undefined && isRunning()) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      const force = setTimeout(() => this.#child.kill("SIGKILL"), endTimeoutMs);
      await ended;
      clearTimeout(force);
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #untilAllUp(timeoutMs: number): Promise<void> {
    let last = "it does not answer";
    const ask = async () => {
      await this.#requireRunning();
      const targets = await this.#targets().catch(() => null);
      if (targets === null) return null;
      await this.#requireOwn();
      const missing = targets.filter(({ health }) => health !== "up");
      if (missing.length === 0 && targets.length > 0) return true;
      const words = missing.map((t) => `${t.scrapeUrl} is ${t.health} ${t.lastError}`);
      last = words.join("; ") || "it has not read its targets yet";
      return null;
    };
    await until("Prometheus", ask, { everyMs: 100, timeoutMs }).catch((error: unknown) => {
      if (error instanceof ClusterError) throw error;
      const seconds = timeoutMs / 1000;
      throw new ClusterError(`Prometheus has not scraped everything within ${seconds} s: ${last}`);
    });
  }

  async #targets(): Promise<readonly Target[]> {
    return (await this.#get("/api/v1/targets?state=active")).data.activeTargets;
  }

  /** Another one may have this address: ours then ends, a moment later. */
  async #requireOwn(): Promise<void> {
    const { data } = await this.#get("/api/v1/status/flags");
    const other = data["storage.tsdb.path"];
    if (other === path.join(this.#directory, "data")) return;
    throw new ClusterError(`another Prometheus, with data in ${other}, answers at ${this.url}`);
  }

  async #requireRunning(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) return;
    const log = await readFile(path.join(this.#directory, "log"), "utf8");
    const words = log.trim().slice(-wordsMax);
    throw new ClusterError(`Prometheus ended with ${exitCode ?? signalCode}: ${words}`);
  }

  async #get(where: string) {
    const answer = await fetch(`${this.url}${where}`, {
      signal: AbortSignal.timeout(askTimeoutMs),
    });
    const text = await answer.text();
    if (!answer.ok) throw new ClusterError(`Prometheus answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  }
}

/** @throws ClusterError when there is none on this PATH. */
export function findPrometheus(searchPath: string): string {
  for (const directory of searchPath.split(path.delimiter).filter((name) => name !== "")) {
    const file = path.join(directory, "prometheus");
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // It may be in another directory.
    }
  }
  throw new ClusterError(
    "there is no program prometheus on the PATH; install it: apt-get install prometheus",
  );
}
