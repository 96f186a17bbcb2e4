/** A real Prometheus (Debian's) in a directory of its own, that reads what a test tells it to. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { freePort } from "../integration/pair-ports.ts";

const host = "127.0.0.1";
const queryTimeoutMs = 10_000;

export interface ScrapeTarget {
  readonly port: number;
  /** As relabelling gives them on a cluster. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atSeconds: number, value: string];
}

export class PrometheusProcess {
  readonly #child: ChildProcess;
  readonly #address: string;
  readonly #folder: string;
  #said = "";

  private constructor(child: ChildProcess, address: string, folder: string) {
    this.#child = child;
    this.#address = address;
    this.#folder = folder;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  /** Reads the targets, and evaluates the rules, every second. */
  static async start(targets: readonly ScrapeTarget[], rules: string): Promise<PrometheusProcess> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "prometheus-"));
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: [rules],
      scrape_configs: [
        {
          job_name: "lockstep",
          honor_labels: true,
          static_configs: targets.map(({ port, labels }) => ({
            targets: [`${host}:${port}`],
            labels,
          })),
        },
      ],
    };
    const file = path.join(folder, "prometheus.yml");
    // Every JSON text is one of YAML.
    await writeFile(file, JSON.stringify(config));
    const address = `${host}:${await freePort()}`;
    const child = spawn(
      "prometheus",
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${path.join(folder, "data")}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    return new PrometheusProcess(child, address, folder);
  }

  async isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`Prometheus ended: ${this.#said}`);
    return await fetch(`http://${this.#address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** The series that an expression gives now. @throws Error with what Prometheus has against it. */
  async query(expression: string): Promise<readonly Series[]> {
    const { status, error, data } = await this.#get("query", { query: expression });
    if (status !== "success") throw new Error(`${expression}: ${error}`);
    // SAFETY: a success has data, and the expressions of rules and panels give vectors.
    return (data as { result: Series[] }).result;
  }

  /** The health of each rule, by its name. */
  async rules(): Promise<ReadonlyMap<string, string>> {
    const { data } = await this.#get("rules", {});
    // SAFETY: so Prometheus documents it.
    const { groups } = data as {
      groups: { rules: { name: string; health: string; lastError?: string }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    return new Map(rules.map(({ name, health, lastError = "" }) => [name, health + lastError]));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "close");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #get(what: string, parameters: Record<string, string>): Promise<Answer> {
    const address = `http://${this.#address}/api/v1/${what}?${new URLSearchParams(parameters)}`;
    const answer = await fetch(address, { signal: AbortSignal.timeout(queryTimeoutMs) });
    // SAFETY: Prometheus answers errors in the same form.
    return (await answer.json()) as Answer;
  }
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: unknown;
}
