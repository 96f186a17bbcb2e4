/** The demo's plan: wait for redundancy, count, kill the primary, see that nothing was lost. */
import { exitCodes } from "../../shared/exit-codes.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import { CommandError } from "../command-error.ts";
import type { PairView } from "../pair/events.ts";
import type { Pair } from "../pair/pair.ts";
import type { CountedOutput } from "./counted-output.ts";

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

const pairTimeoutMs = 120_000;
const readyTimeoutMs = 60_000;
/** Between two kills the guest counts for a while with both halves there. */
const quietMs = 1_000;
/** So many numbers from the new primary, and the failover is over. */
const numbersAfterFailover = 5;
const failoverTimeoutMs = 30_000;
const pollMs = 20;

export class DemoRun {
  readonly #pair: Pair;
  readonly #output: CountedOutput;
  readonly #audience: DemoAudience;
  #record: VmRecord | null = null;
  #problem: string | null = null;

  constructor(pair: Pair, output: CountedOutput, audience: DemoAudience) {
    this.#pair = pair;
    this.#output = output;
    this.#audience = audience;
    void pair.ended.then((end) => {
      this.#problem = `the pair ended: ${end.kind === "lost" ? end.reason : end.kind}`;
    });
  }

  onView(view: PairView): void {
    this.#record = view.record;
    this.#output.onView(view);
  }

  /** What each kill showed. When the connection breaks, nothing more is to be seen. */
  async run(kills: number): Promise<KillReport[]> {
    await this.#until("the pair to be redundant", pairTimeoutMs, () => this.#isRedundant());
    this.#audience.step("the pair is redundant");
    const reports: KillReport[] = [];
    try {
      await this.#startCounting();
      for (let index = 1; index <= kills; index++) reports.push(await this.#killPrimary(index));
      await this.#pause(quietMs);
    } catch (error) {
      if (!(error instanceof ConnectionBroken)) throw error;
      this.#audience.step(error.message);
    }
    return reports;
  }

  async #startCounting(): Promise<void> {
    const output = this.#output;
    await this.#until("the guest to be ready", readyTimeoutMs, () => output.ready);
    output.start();
    await this.#until("the guest to count", readyTimeoutMs, () => output.counter.count > 2);
    this.#audience.step(output.description);
    await this.#pause(quietMs);
  }

  async #killPrimary(index: number): Promise<KillReport> {
    const { counter } = this.#output;
    const before = this.#record?.epoch ?? 0;
    const { source } = this.#output;
    const number = counter.last;
    const victim = await this.#pair.kill("primary");
    const killedMs = performance.now();
    if (victim === null) throw failed("there was no primary to kill");
    this.#audience.killing(index, victim.id, victim.pid, number);
    const hasMoved = () => this.#output.source !== source;
    await this.#until("another primary's output", failoverTimeoutMs, hasMoved);
    const enough = counter.count + numbersAfterFailover;
    await this.#until("the guest to count on", failoverTimeoutMs, () => counter.count >= enough);
    const countingMs = performance.now();
    const isBack = () => this.#isRedundant() && (this.#record?.epoch ?? 0) > before + 1;
    await this.#until("redundancy to be back", pairTimeoutMs, isBack);
    const redundantAfterMs = performance.now() - killedMs;
    await this.#pause(quietMs);
    const report: KillReport = {
      ...{ half: victim.id, pid: victim.pid, number, redundantAfterMs },
      gapMs: counter.longestGapMs(killedMs, countingMs),
      transferGapMs: counter.longestGapMs(countingMs),
    };
    this.#audience.killed(report, counter.faults.length);
    return report;
  }

  #isRedundant(): boolean {
    return this.#record !== null && this.#record.backup !== null;
  }

  async #pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    await this.#until("a moment", 2 * ms + pairTimeoutMs, () => performance.now() >= endMs);
  }

  async #until(what: string, timeoutMs: number, isSo: () => boolean): Promise<void> {
    const output = this.#output;
    const deadline = performance.now() + timeoutMs;
    while (!isSo()) {
      const problem = this.#problem ?? output.problem;
      if (problem !== null) throw failed(problem);
      if (output.resets > 0) throw new ConnectionBroken(output.evidence);
      if (performance.now() > deadline) {
        throw failed(`waited ${timeoutMs / 1000} s in vain for ${what}; ${output.evidence}`);
      }
      this.#audience.counted(output.counter.last);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

/** Nothing more comes from the guest: the demo has failed, and reports what it saw. */
class ConnectionBroken extends Error {
  override readonly name = "ConnectionBroken";
}

function failed(why: string): CommandError {
  return new CommandError(exitCodes.failure, why);
}
