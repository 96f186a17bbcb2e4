/**
 * One `redis-cli` that writes all the time: it counts up, and appends every number to a list. Each
 * answer must be the next number; afterwards the list must hold all of them, once each.
 */
import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { pause, until } from "../../bench/waiting.ts";
import { Arrivals } from "./arrivals.ts";
import { Faults, type RealClient, type Verdict } from "./real-client.ts";

const startTimeoutMs = 60_000;
const answerTimeoutMs = 60_000;
const pingTimeoutMs = 5_000;
/** The guest shall have time for other things. */
const writeEveryMs = 4;
const listBytesMax = 2 ** 26;

export class RedisClient implements RealClient {
  readonly name = "redis";
  readonly arrivals = new Arrivals();
  readonly isAtWork = true;
  readonly #port: number;
  readonly #faults = new Faults();
  #child: ChildProcessByStdio<Writable, Readable, Readable> | null = null;
  #answer: ((line: string) => void) | null = null;
  #fail: ((error: Error) => void) | null = null;
  #rest = "";
  #acknowledged = 0;
  #working: Promise<void> = Promise.resolve();
  #closing = false;
  #killed = false;

  constructor(port: number) {
    this.#port = port;
  }

  get verdict(): Verdict {
    return this.#faults.verdict(`${2 * this.#acknowledged} writes on one connection`);
  }

  async start(): Promise<void> {
    const answers = async () => ((await this.#once("ping")) === "PONG\n" ? true : null);
    await until("redis-server answers", answers, { everyMs: 500, timeoutMs: startTimeoutMs });
    this.#working = this.#work();
    await until("redis-cli writes", () => (this.#acknowledged > 0 ? true : null));
  }

  async stop(): Promise<Verdict> {
    this.#closing = true;
    await this.#working;
    this.kill();
    await this.#checkList();
    return this.verdict;
  }

  kill(): void {
    this.#closing = true;
    this.#killed = true;
    this.#child?.kill("SIGKILL");
  }

  /** redis-cli connects again by itself, so that only the client's number tells of a reset. */
  async #work(): Promise<void> {
    this.#spawn();
    try {
      const id = await this.#ask("CLIENT ID");
      while (!this.#closing) {
        await this.#write("INCR counter");
        await this.#write(`RPUSH numbers ${this.#acknowledged + 1}`);
        this.#acknowledged++;
        await pause(writeEveryMs);
      }
      if ((await this.#ask("CLIENT ID")) !== id) this.#reset("it had to connect again");
    } catch (error) {
      if (!this.#killed) this.#reset(error instanceof Error ? error.message : String(error));
    }
  }

  async #write(command: string): Promise<void> {
    const wanted = this.#acknowledged + 1;
    const answer = await this.#ask(command);
    if (answer === String(wanted)) return;
    this.#faults.lostWrites++;
    this.#faults.tell(`redis: "${command}" was answered "${answer}" instead of "${wanted}"`);
  }

  async #checkList(): Promise<void> {
    const list = (await this.#once("lrange", "numbers", "0", "-1")).trim().split("\n");
    const wrong = list.findIndex((text, i) => text !== String(i + 1));
    if (list.length === this.#acknowledged && wrong < 0) return;
    this.#faults.lostWrites += Math.max(1, this.#acknowledged - list.length);
    this.#faults.tell(
      `redis: ${this.#acknowledged} writes were acknowledged, ${list.length} are there` +
        (wrong < 0 ? "" : `; number ${wrong + 1} is "${list[wrong]}"`),
    );
  }

  #reset(why: string): void {
    this.#faults.resets++;
    this.#faults.tell(`redis-cli: ${why}`);
  }

  #spawn(): void {
    const child = spawn("redis-cli", this.#where(), { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#reset(text.trim()));
    child.once("close", () => this.#fail?.(new Error("it ended")));
  }

  #take(text: string): void {
    this.arrivals.note(performance.now());
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#answer?.(line);
  }

  async #ask(command: string): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<string>((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
      const late = new Error(`"${command}" was not answered within ${answerTimeoutMs / 1000} s`);
      timer = setTimeout(() => reject(late), answerTimeoutMs);
    });
    this.#child?.stdin.write(`${command}\n`);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
      this.#answer = null;
      this.#fail = null;
    }
  }

  /** A redis-cli for one command; what it prints, and nothing when it fails. */
  async #once(...command: readonly string[]): Promise<string> {
    const args = [...this.#where(), ...command];
    const timeout = this.#acknowledged > 0 ? answerTimeoutMs : pingTimeoutMs;
    try {
      const ran = promisify(execFile)("redis-cli", args, { timeout, maxBuffer: listBytesMax });
      return (await ran).stdout;
    } catch {
      return "";
    }
  }

  #where(): string[] {
    return ["-h", "127.0.0.1", "-p", String(this.#port)];
  }
}
