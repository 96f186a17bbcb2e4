/** What gvproxy has to say, in our log: no more lines than somebody would read. */
import { performance } from "node:perf_hooks";
import type { Logger } from "../../platform/logging.ts";

const windowMs = 10_000;
const linesPerWindowMax = 20;
const lineCharactersMax = 1_000;

export class GvproxyLog {
  readonly #logger: Logger;
  #rest = "";
  #last = "";
  #windowBegan = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The last error, after a colon; empty without one. */
  get lastWords(): string {
    return this.#last === "" ? "" : `: ${this.#last}`;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, lineCharactersMax);
    for (const line of lines) this.#onLine(line.slice(0, lineCharactersMax));
  }

  /** Its lines are `time="..." level=info msg="..."`; anything else is a panic, or of another. */
  #onLine(line: string): void {
    const level = /\blevel=(\w+)/.exec(line)?.[1];
    const said = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line;
    // That a port of the guest does not answer, and our end, are errors to it.
    const isAsked = said.startsWith("cannot dial") || said.endsWith("from socket: EOF");
    const isNormal = level === "info" || level === "debug" || isAsked;
    if (isNormal) {
      this.#logger.debug({ gvproxy: said }, "gvproxy says");
      return;
    }
    this.#last = said;
    const nowMs = performance.now();
    if (nowMs - this.#windowBegan > windowMs) {
      this.#windowBegan = nowMs;
      this.#lines = 0;
    }
    this.#lines++;
    if (this.#lines > linesPerWindowMax) return;
    const last = this.#lines === linesPerWindowMax;
    this.#logger.warn({ gvproxy: said }, last ? "gvproxy says, and more" : "gvproxy says");
  }
}
