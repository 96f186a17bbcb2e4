/** The search for the primary: which runner is asked next, and how soon the one after it. */
import { assert } from "../../shared/assert.ts";

/** Between two tries while disconnected; with several endpoints they take turns. */
const tryIntervalMs = 8;
/** After this long without a primary, tries become rare. */
const eagerMs = 5_000;
const patientIntervalMs = 100;

export class EndpointSearch {
  readonly #count: number;
  #turn = 0;
  #sinceMs: number;

  /** `count`: endpoints to choose from. */
  constructor(count: number, nowMs: number) {
    assert(count > 0, "a console needs at least one runner to ask");
    this.#count = count;
    this.#sinceMs = nowMs;
  }

  /** The number of the endpoint whose turn it is. */
  next(): number {
    return this.#turn++ % this.#count;
  }

  /** The primary is gone; it comes last: the other one is the likely primary. */
  restart(lost: number, nowMs: number): void {
    this.#turn = lost + 1;
    this.#sinceMs = nowMs;
  }

  /** Until the next try. */
  intervalMs(nowMs: number): number {
    return nowMs - this.#sinceMs < eagerMs ? tryIntervalMs : patientIntervalMs;
  }
}
