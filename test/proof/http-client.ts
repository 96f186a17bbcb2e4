/** `curl` that downloads the guest's numbers.txt again and again; every byte is compared. */
import { type ChildProcess, spawn } from "node:child_process";
import { until } from "../../bench/waiting.ts";
import { Arrivals } from "./arrivals.ts";
import { Faults, type RealClient, type Verdict } from "./real-client.ts";

/** As guest/build/servers.sh makes it: the numbers from 1 on, one on a line, cut off here. */
const fileBytes = 4 * 2 ** 20;
const retryMs = 500;
const startTimeoutMs = 60_000;
/** A download that has not come further has just begun, one that has come further is all but done. */
const midway = { from: 0.05, to: 0.6 };

export class HttpClient implements RealClient {
  readonly name = "http";
  readonly arrivals = new Arrivals();
  readonly #url: string;
  readonly #expected = numbers();
  readonly #faults = new Faults();
  #child: ChildProcess | null = null;
  #received = 0;
  #downloads = 0;
  #served = false;
  #closing = false;

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}/numbers.txt`;
  }

  get isAtWork(): boolean {
    const share = this.#received / fileBytes;
    return share > midway.from && share < midway.to;
  }

  get verdict(): Verdict {
    return this.#faults.verdict(`${this.#downloads} downloads of ${fileBytes / 2 ** 20} MiB`);
  }

  async start(): Promise<void> {
    this.#download();
    await until("a download is complete", () => (this.#downloads > 0 ? true : null), {
      timeoutMs: startTimeoutMs,
    });
  }

  async stop(): Promise<Verdict> {
    this.kill();
    return this.verdict;
  }

  kill(): void {
    this.#closing = true;
    this.#child?.kill("SIGKILL");
  }

  #download(): void {
    if (this.#closing) return;
    this.#received = 0;
    let words = "";
    // No waiting for more: what curl has, it writes.
    const args = ["--silent", "--show-error", "--fail", "--no-buffer", this.#url];
    const child = spawn("curl", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (bytes: Buffer) => this.#take(bytes));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = text.trim();
    });
    child.once("close", (code) => this.#onEnded(code, words));
  }

  #take(bytes: Buffer): void {
    this.#served = true;
    this.arrivals.note(performance.now());
    const wanted = this.#expected.subarray(this.#received, this.#received + bytes.length);
    if (!wanted.equals(bytes)) {
      const first = bytes.findIndex((byte, i) => byte !== wanted[i]);
      this.#faults.wrongBytes += bytes.filter((byte, i) => byte !== wanted[i]).length;
      this.#faults.tell(`http: byte ${this.#received + first} of numbers.txt is wrong`);
    }
    this.#received += bytes.length;
  }

  /** The server may not serve yet; once it did, every download must come to its end. */
  #onEnded(code: number | null, words: string): void {
    if (this.#closing) return;
    if (code === 0 && this.#received === fileBytes) {
      this.#downloads++;
      this.#download();
      return;
    }
    if (this.#served) {
      this.#faults.resets++;
      this.#faults.tell(`curl ended with code ${code} after ${this.#received} bytes: ${words}`);
    }
    setTimeout(() => this.#download(), retryMs);
  }
}

function numbers(): Buffer {
  const file = Buffer.alloc(fileBytes);
  for (let number = 1, at = 0; at < fileBytes; number++) at += file.write(`${number}\n`, at);
  return file;
}
