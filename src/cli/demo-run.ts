/** The demo's plan: wait for redundancy, count, kill the primary, see that nothing was lost. */
import { exitCodes } from "../platform/exit-codes.ts";
import type { VmRecord } from "../shared/protocol/record.ts";
import { CommandError } from "./command-error.ts";
import { ConsoleClient } from "./console-client.ts";
import { CounterCheck } from "./counter-check.ts";
import type { PairView } from "./pair/events.ts";
import type { Pair } from "./pair/pair.ts";

export interface KillReport {
  readonly half: "a" | "b";
  readonly pid: number | null;
  /** The last number that was seen when the primary was killed. */
  readonly number: number | null;
  /** The longest time between two numbers around the kill. */
  readonly gapMs: number;
  /** From the kill until the record named a new backup. */
  readonly redundantAfterMs: number;
  /** The longest time between two numbers from then on until redundancy: the state transfer. */
  readonly transferGapMs: number;
}

/** Told what the demo does. */
export interface DemoAudience {
  step(text: string): void;
  counted(last: number | null): void;
  killing(index: number, half: string, pid: number | null, last: number | null): void;
  killed(report: KillReport, faults: number): void;
}

/** The shell's line editor asks the terminal for the cursor's position right after it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: SAFETY: the terminal's escape is meant.
const prompt = /# (?:\x1b\[6n)?$/;
const pairTimeoutMs = 120_000;
const promptTimeoutMs = 60_000;
/** Between two kills the guest counts for a while with both halves there. */
const quietMs = 1_000;
/** So many numbers from the new primary, and the failover is over. */
const numbersAfterFailover = 5;
const failoverTimeoutMs = 30_000;
const pollMs = 20;

export class DemoRun {
  readonly counter: CounterCheck;
  readonly #pair: Pair;
  readonly #audience: DemoAudience;
  readonly #client: ConsoleClient;
  readonly #isTiny: boolean;
  readonly #decoder = new TextDecoder();
  #tail = "";
  #record: VmRecord | null = null;
  #problem: string | null = null;
  /** How many numbers there were when the console was last connected anew. */
  #countAtConnect = 0;
  #connects = 0;

  constructor(pair: Pair, guest: string, audience: DemoAudience) {
    this.#pair = pair;
    this.#audience = audience;
    this.#isTiny = guest === "tiny";
    this.counter = new CounterCheck(this.#isTiny ? "tick" : "counter");
    this.#client = new ConsoleClient({
      ...{ vm: pair.vm, key: pair.key, endpoints: pair.consoles, position: null },
      onOutput: (bytes) => this.#onOutput(bytes),
      onConnected: () => {
        this.#connects++;
        this.#countAtConnect = this.counter.count;
      },
      onMissed: (bytes) => {
        this.#problem = `${bytes} bytes of the console were missed`;
      },
    });
    void pair.ended.then((end) => {
      this.#problem = `the pair ended: ${end.kind === "lost" ? end.reason : end.kind}`;
    });
  }

  onView(view: PairView): void {
    this.#record = view.record;
  }

  close(): void {
    this.#client.close();
  }

  async run(kills: number): Promise<KillReport[]> {
    await this.#until("the pair to be redundant", pairTimeoutMs, () => this.#isRedundant());
    this.#audience.step("the pair is redundant");
    await this.#startCounting();
    const reports: KillReport[] = [];
    for (let index = 1; index <= kills; index++) reports.push(await this.#killPrimary(index));
    await this.#pause(quietMs);
    return reports;
  }

  async #startCounting(): Promise<void> {
    if (!this.#isTiny) {
      const isPrompt = () => prompt.test(this.#tail);
      await this.#until("the guest's shell", promptTimeoutMs, isPrompt);
      this.#client.write(new TextEncoder().encode("counter\n"));
    }
    await this.#until("the guest to count", promptTimeoutMs, () => this.counter.count > 2);
    const what = this.#isTiny
      ? "the tiny guest prints its ticks"
      : "counter runs in the guest's shell";
    this.#audience.step(`${what}: one number after the other`);
    await this.#pause(quietMs);
  }

  async #killPrimary(index: number): Promise<KillReport> {
    const before = this.#record?.epoch ?? 0;
    const connects = this.#connects;
    const number = this.counter.last;
    const victim = await this.#pair.kill("primary");
    const killedMs = performance.now();
    if (victim === null) throw failed("there was no primary to kill");
    this.#audience.killing(index, victim.id, victim.pid, number);
    const isCounting = () =>
      this.#connects > connects &&
      this.counter.count >= this.#countAtConnect + numbersAfterFailover;
    await this.#until("the guest to count on", failoverTimeoutMs, isCounting);
    const countingMs = performance.now();
    const isBack = () => this.#isRedundant() && (this.#record?.epoch ?? 0) > before + 1;
    await this.#until("redundancy to be back", pairTimeoutMs, isBack);
    const redundantAfterMs = performance.now() - killedMs;
    await this.#pause(quietMs);
    const report: KillReport = {
      ...{ half: victim.id, pid: victim.pid, number, redundantAfterMs },
      gapMs: this.counter.longestGapMs(killedMs, countingMs),
      transferGapMs: this.counter.longestGapMs(countingMs),
    };
    this.#audience.killed(report, this.counter.faults.length);
    return report;
  }

  #isRedundant(): boolean {
    return this.#record !== null && this.#record.backup !== null;
  }

  #onOutput(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#tail = (this.#tail + text).slice(-256);
    this.counter.push(text, performance.now());
  }

  async #pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    await this.#until("a moment", 2 * ms + pairTimeoutMs, () => performance.now() >= endMs);
  }

  async #until(what: string, timeoutMs: number, isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!isSo()) {
      if (this.#problem !== null) throw failed(this.#problem);
      if (performance.now() > deadline) {
        throw failed(
          `waited ${timeoutMs / 1000} s in vain for ${what}; the console says ${JSON.stringify(this.#tail)}`,
        );
      }
      this.#audience.counted(this.counter.last);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

function failed(why: string): CommandError {
  return new CommandError(exitCodes.failure, why);
}
