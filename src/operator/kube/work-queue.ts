/**
 * What is to be looked at, by key. A key is in it at most once however often it is added, and is taken by
 * one worker at a time: what is added meanwhile is given out again when that worker is done. After
 * failures a key waits longer each time, and all tries after failures together are limited.
 */
import { assert } from "../../shared/assert.ts";
import { type RateLimit, RateLimiter } from "./rate-limiter.ts";

export interface WorkQueueLimits {
  /** After the first failure; each further one doubles it. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /** Of all keys together. */
  readonly retries: RateLimit;
}

export interface Turn {
  readonly key: string;
  /** Since it was due. */
  readonly waitedMs: number;
}

export class WorkQueue {
  readonly #limits: WorkQueueLimits;
  readonly #retries: RateLimiter;
  /** To be taken now, oldest first, and since when. */
  readonly #ready = new Map<string, number>();
  /** When to be taken at the latest. */
  readonly #later = new Map<string, number>();
  readonly #taken = new Set<string>();
  /** Added while they were taken, and when. */
  readonly #again = new Map<string, number>();
  readonly #failures = new Map<string, number>();

  constructor(limits: WorkQueueLimits) {
    this.#limits = limits;
    this.#retries = new RateLimiter(limits.retries);
  }

  /** Waiting to be taken now. */
  get depth(): number {
    return this.#ready.size;
  }

  add(key: string, nowMs: number): void {
    this.#later.delete(key);
    const waiting = this.#taken.has(key) ? this.#again : this.#ready;
    if (!waiting.has(key)) waiting.set(key, nowMs);
  }

  /** At the latest after `delayMs`: an earlier appointment stays. */
  addAfter(key: string, delayMs: number, nowMs: number): void {
    const dueMs = nowMs + Math.max(0, delayMs);
    this.#later.set(key, Math.min(this.#later.get(key) ?? Number.POSITIVE_INFINITY, dueMs));
  }

  /** It failed; returns after how long it is given out again. */
  addAfterFailure(key: string, nowMs: number): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { retryMsMin, retryMsMax } = this.#limits;
    const ownMs = Math.min(retryMsMin * 2 ** Math.min(failures, 30), retryMsMax);
    const delayMs = Math.max(ownMs, this.#retries.ask(key, nowMs));
    this.addAfter(key, delayMs, nowMs);
    return delayMs;
  }

  /** It did not fail: the next failure is the first again. */
  forgetFailures(key: string): void {
    this.#failures.delete(key);
  }

  /** No appointment holds any more; what was added by name is given out all the same. */
  forget(key: string): void {
    this.#failures.delete(key);
    this.#later.delete(key);
  }

  /** The next key; null: there is none now. Whoever takes it says `done` afterwards. */
  take(nowMs: number): Turn | null {
    for (const [key, dueMs] of this.#later) if (dueMs <= nowMs) this.add(key, dueMs);
    for (const [key, sinceMs] of this.#ready) {
      this.#ready.delete(key);
      this.#taken.add(key);
      return { key, waitedMs: nowMs - sinceMs };
    }
    return null;
  }

  done(key: string): void {
    assert(this.#taken.delete(key), `${key} was not taken`);
    const sinceMs = this.#again.get(key);
    if (sinceMs === undefined) return;
    this.#again.delete(key);
    this.#ready.set(key, sinceMs);
  }

  /** When `take` may give something that it does not give now; null: only after an `add`. */
  nextDueMs(): number | null {
    let nextMs: number | null = null;
    for (const dueMs of this.#later.values()) nextMs = Math.min(nextMs ?? dueMs, dueMs);
    return nextMs;
  }
}
