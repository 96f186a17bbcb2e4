/** The pair under proof: `lockstep up` as a user starts it, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "../../bench/waiting.ts";
import { readStatus } from "../../src/cli/pair/runner-client.ts";
import { type HalfEntry, readEntry } from "../../src/cli/pair/state-directory.ts";
import type { RunnerStatus } from "../../src/shared/protocol/status.ts";

const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const startTimeoutMs = 300_000;
const redundantTimeoutMs = 300_000;
const stopTimeoutMs = 30_000;
const textMax = 256 * 1024;

export interface ProofPairOptions {
  readonly name: string;
  readonly guest: string;
  readonly memoryMiB: number;
  readonly publish: readonly { readonly hostPort: number; readonly guestPort: number }[];
}

interface SeenHalf {
  readonly half: HalfEntry;
  readonly status: RunnerStatus;
}

/** A pair that could lose a half now. */
export interface Redundant {
  readonly epoch: number;
  readonly primary: HalfEntry & { readonly pid: number };
}

export class ProofPair {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #printed = "";

  constructor({ name, guest, memoryMiB, publish }: ProofPairOptions) {
    this.#name = name;
    const ports = publish.flatMap(({ hostPort, guestPort }) => [
      "--publish",
      `127.0.0.1:${hostPort}:${guestPort}`,
    ]);
    const machine = ["--guest", guest, "--memory", String(memoryMiB)];
    const args = [program, "up", "--name", name, ...machine, ...ports, "--web", "off"];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const keep = (text: string) => {
      this.#printed = (this.#printed + text).slice(-textMax);
    };
    this.#child.stdout?.setEncoding("utf8").on("data", keep);
    this.#child.stderr?.setEncoding("utf8").on("data", keep);
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.#hasEnded = true;
        resolve();
      });
    });
  }

  /** What `lockstep up` told last, for whoever looks for a cause. */
  get lastWords(): string {
    return this.#printed.trim().split("\n").slice(-20).join("\n");
  }

  started(): Promise<Redundant> {
    return this.redundant(0, startTimeoutMs);
  }

  /** Resolves when the pair is redundant in a later epoch than that. */
  redundant(afterEpoch: number, timeoutMs = redundantTimeoutMs): Promise<Redundant> {
    const inLaterEpoch = async () => {
      const seen = await this.look();
      return seen !== null && seen.epoch > afterEpoch ? seen : null;
    };
    return until("the pair is redundant", inLaterEpoch, { timeoutMs });
  }

  /** Null: the pair is not redundant now. */
  async look(): Promise<Redundant | null> {
    const seen = await this.#halves();
    const primary = seen.find(({ status }) => status.role === "primary" && status.live);
    const backup = seen.find(({ status }) => status.role === "backup");
    const { epoch = null, backup: named } = primary?.status ?? {};
    if (primary === undefined || backup === undefined || epoch === null) return null;
    const { pid } = primary.half;
    if (pid === null || named !== backup.status.nonce) return null;
    return { epoch, primary: { ...primary.half, pid } };
  }

  /** Resolves when the guest lives in another process than this one. */
  takenOver(from: HalfEntry): Promise<true> {
    return until("the backup has taken over", async () => {
      const seen = await this.#halves();
      const isNew = ({ half, status }: SeenHalf) =>
        half.id !== from.id && status.role === "primary" && status.live;
      return seen.some(isNew) ? true : null;
    });
  }

  /** How this process ended, as `lockstep up` said it. */
  endOf(pid: number): Promise<string> {
    const pattern = new RegExp(`\\(pid ${pid}\\) (ended with .*|was killed by .*)`);
    return until(`process ${pid} has ended`, () => pattern.exec(this.#printed)?.[1] ?? null);
  }

  /** Switches the VM off. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await until("lockstep up has ended", () => (this.#hasEnded ? true : null), {
      timeoutMs: stopTimeoutMs,
    });
  }

  /** At once; its children end with it. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Those that answer. */
  async #halves(): Promise<SeenHalf[]> {
    if (this.#hasEnded) throw new Error("lockstep up has ended");
    const halves = readEntry(this.#name)?.halves ?? [];
    const statuses = await Promise.all(halves.map((half) => readStatus(half.http)));
    return halves.flatMap((half, i) => {
      const status = statuses[i] ?? null;
      return status !== null && status.nonce === half.nonce ? [{ half, status }] : [];
    });
  }
}
