/** `ssh` with a command in the guest that prints a numbered line every 10 ms. */
import { type ChildProcess, spawn } from "node:child_process";
import { until } from "../../bench/waiting.ts";
import { Arrivals } from "./arrivals.ts";
import { Faults, type RealClient, type Verdict } from "./real-client.ts";

/** Nothing of the user's configuration counts, and nothing is kept. */
const options = [
  ...["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"],
  ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
];
const retryMs = 500;
const startTimeoutMs = 60_000;

export class SshClient implements RealClient {
  readonly name = "ssh";
  readonly arrivals = new Arrivals();
  readonly isAtWork = true;
  readonly #port: number;
  readonly #faults = new Faults();
  #child: ChildProcess | null = null;
  #rest = "";
  #lines = 0;
  #last = 0;
  #words = "";
  #closing = false;

  constructor(port: number) {
    this.#port = port;
  }

  get verdict(): Verdict {
    return this.#faults.verdict(`${this.#lines} lines in one session`);
  }

  async start(): Promise<void> {
    this.#connect();
    await until("ssh prints what runs in the guest", () => (this.#lines > 0 ? true : null), {
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

  #connect(): void {
    const where = ["-p", String(this.#port), "root@127.0.0.1"];
    const child = spawn("ssh", [...options, ...where, "counter 10"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = text.trim();
    });
    child.once("close", (code) => this.#onEnded(code));
  }

  #take(text: string): void {
    this.arrivals.note(performance.now());
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#check(line);
  }

  #check(line: string): void {
    this.#lines++;
    const wanted = `counter ${this.#last + 1}`;
    if (line !== wanted) {
      this.#faults.wrongBytes += line.length;
      this.#faults.tell(`ssh: expected the line "${wanted}", got ${JSON.stringify(line)}`);
    }
    this.#last = Number(/^counter (\d+)$/.exec(line)?.[1] ?? this.#last + 1);
  }

  /** The server may not serve yet; once it did, no session may end. */
  #onEnded(code: number | null): void {
    if (this.#closing) return;
    if (this.#lines > 0) {
      this.#faults.resets++;
      this.#faults.tell(`ssh ended with code ${code}: ${this.#words}`);
    }
    this.#rest = "";
    this.#last = 0;
    setTimeout(() => {
      if (!this.#closing) this.#connect();
    }, retryMs);
  }
}
