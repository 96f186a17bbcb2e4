/**
 * How fast something may be done by all together: a bucket of `burst` tokens that gets `perSecond` new
 * ones. Who comes when it is empty keeps a place in the row, and comes back when it is its turn: nobody
 * has to stand and wait, so what is not limited goes on meanwhile.
 */
import { assert } from "../../shared/assert.ts";

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** A place that nobody comes for is given up so long after its turn. */
const placeMsMax = 10_000;

export class RateLimiter {
  readonly #spacingMs: number;
  readonly #burstMs: number;
  /** When the bucket would be full, by the caller's clock: it is empty `burstMs` before. */
  #fullMs = Number.NEGATIVE_INFINITY;
  /** Who has a place, and when it is their turn; in the order of the turns. */
  readonly #turns = new Map<string, number>();

  constructor({ perSecond, burst }: RateLimit) {
    assert(perSecond > 0 && burst >= 1, `a limit of ${perSecond} a second with burst ${burst}`);
    this.#spacingMs = 1_000 / perSecond;
    this.#burstMs = burst * this.#spacingMs;
  }

  /** How long `who` has to wait in milliseconds; 0: it may go now, and has used its turn. */
  ask(who: string, nowMs: number): number {
    this.#forgetMissed(nowMs);
    const turnMs = this.#turns.get(who) ?? this.#takeToken(nowMs);
    if (turnMs <= nowMs) {
      this.#turns.delete(who);
      return 0;
    }
    this.#turns.set(who, turnMs);
    return turnMs - nowMs;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#turns.size;
  }

  #takeToken(nowMs: number): number {
    this.#fullMs = Math.max(this.#fullMs, nowMs) + this.#spacingMs;
    return this.#fullMs - this.#burstMs;
  }

  #forgetMissed(nowMs: number): void {
    for (const [who, turnMs] of this.#turns) {
      if (turnMs + placeMsMax > nowMs) return;
      this.#turns.delete(who);
    }
  }
}
