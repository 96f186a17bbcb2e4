/** What the demo prints: lines that read well, a running number where there is a terminal. */
import { describeEvent, type PairEvent } from "../pair/events.ts";
import type { DemoReport } from "./demo-report.ts";
import type { DemoAudience, KillReport } from "./demo-run.ts";

const shownIntervalMs = 50;

export class DemoOutput implements DemoAudience {
  readonly #json: boolean;
  readonly #startMs = performance.now();
  #live = "";
  #shownMs = 0;

  /** `json`: people's lines go to standard error, since standard output is the result's. */
  constructor(json: boolean) {
    this.#json = json;
  }

  title(kills: number): void {
    const times = kills === 1 ? "once" : `${kills} times`;
    this.#line("One virtual machine, executed by two processes in lockstep. While it counts,");
    this.#line(`the primary is killed with SIGKILL ${times}; the backup goes on in its place.`);
    this.#line("");
  }

  /** Something that takes long, on a line of its own. */
  progress(text: string): void {
    this.#line(`  … ${text}`);
  }

  step(text: string): void {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1).padStart(6);
    this.#line(`${seconds} s  ${text}`);
  }

  event(event: PairEvent): void {
    this.step(describeEvent(event));
  }

  counted(last: number | null): void {
    const now = performance.now();
    if (last === null || now - this.#shownMs < shownIntervalMs) return;
    this.#shownMs = now;
    this.#show(`          the guest counts: ${last}`);
  }

  killing(index: number, half: string, pid: number | null, last: number | null): void {
    this.#line("");
    this.step(
      `KILL ${index}: SIGKILL to the primary, runner ${half} (pid ${pid}), at number ${last}`,
    );
  }

  killed({ gapMs, redundantAfterMs, transferGapMs }: KillReport, faults: number): void {
    const lost = faults === 0 ? "no number lost, none repeated" : `${faults} LINES WRONG`;
    const redundant = `redundant again after ${(redundantAfterMs / 1000).toFixed(1)} s`;
    this.step(`  gap ${Math.round(gapMs)} ms | ${lost} | ${redundant}`);
    this.step(`  longest pause while state was transferred: ${Math.round(transferGapMs)} ms`);
  }

  result(report: DemoReport): void {
    const { ok, resets, transport } = report;
    this.#line("");
    this.#line(countedText(report));
    this.#line(killsText(report));
    const noticed =
      transport === "tcp"
        ? "Neither the guest nor its client noticed."
        : "The guest noticed nothing.";
    const failed = resets > 0 ? "the connection broke" : "this is not what one machine prints";
    this.#line(ok ? noticed : `FAILED: ${failed}.`);
    if (this.#json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  }

  #line(text: string): void {
    this.#show("");
    this.#stream.write(`${text}\n`);
  }

  /** On a terminal, a line that the next one overwrites. */
  #show(text: string): void {
    if (!this.#stream.isTTY || text === this.#live) return;
    this.#stream.write(`\r\x1b[K${text}`);
    this.#live = text;
  }

  get #stream(): NodeJS.WriteStream {
    return this.#json ? process.stderr : process.stdout;
  }
}

function countedText({ numbers, missing, repeated, wrong, resets, transport }: DemoReport): string {
  const faults = `${missing} missing, ${repeated} repeated`;
  if (transport === "console") return `${numbers} numbers on the console: ${faults}.`;
  const broken = `${resets} ${resets === 1 ? "reset" : "resets"}`;
  return `${numbers} numbers over one TCP connection: ${faults}, ${wrong} wrong lines, ${broken}.`;
}

function killsText({ kills }: DemoReport): string {
  const killed = `${kills.length} ${kills.length === 1 ? "primary" : "primaries"} killed`;
  const gaps = kills.map(({ gapMs }) => `${Math.round(gapMs)} ms`).join(", ");
  return gaps === "" ? `${killed}.` : `${killed}, gaps: ${gaps}.`;
}
