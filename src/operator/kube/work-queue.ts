/**
 * What is to be looked at, by key. A key is in it at most once however often it is added, and is taken by
 * one worker at a time: what is added meanwhile is given out again when that worker is done. What is urgent
 * comes first: a lost half does not wait behind a thousand machines that are being made. After
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
  /** To be taken now, oldest first, and since when: before all others. */
  readonly #urgent = new Map<string, number>();
  /** The same, after what is urgent. */
  readonly #ready = new Map<string, number>();
  /** When to be taken at the latest. */
  readonly #later = new Map<string, number>();
  readonly #taken = new Set<string>();
  /** Added while they were taken. */
  readonly #again = new Map<string, { readonly sinceMs: number; readonly urgent: boolean }>();
  readonly #failures = new Map<string, number>();

  constructor(limits: WorkQueueLimits) {
    this.#limits = limits;
    this.#retries = new RateLimiter(limits.retries);
  }

  /** Waiting to be taken now. */
  get depth(): number {
    return this.#urgent.size + this.#ready.size;
  }

  /** What waits already and has become urgent goes on waiting among what is urgent. */
  add(key: string, nowMs: number, { urgent } = { urgent: false }): void {
    this.#later.delete(key);
    if (this.#taken.has(key)) {
      const before = this.#again.get(key);
      const sinceMs = before?.sinceMs ?? nowMs;
      this.#again.set(key, { sinceMs, urgent: urgent || before?.urgent === true });
      return;
    }
    if (this.#urgent.has(key)) return;
    const sinceMs = this.#ready.get(key) ?? nowMs;
    if (urgent) this.#ready.delete(key);
    const waiting = urgent ? this.#urgent : this.#ready;
    waiting.set(key, sinceMs);
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
    return this.#first(this.#urgent, nowMs) ?? this.#first(this.#ready, nowMs);
  }

  done(key: string): void {
    assert(this.#taken.delete(key), `${key} was not taken`);
    const again = this.#again.get(key);
    if (again === undefined) return;
    this.#again.delete(key);
    this.add(key, again.sinceMs, again);
  }

  /** When `take` may give something that it does not give now; null: only after an `add`. */
  nextDueMs(): number | null {
    let nextMs: number | null = null;
    for (const dueMs of this.#later.values()) nextMs = Math.min(nextMs ?? dueMs, dueMs);
    return nextMs;
  }

  #first(waiting: Map<string, number>, nowMs: number): Turn | null {
    for (const [key, sinceMs] of waiting) {
      waiting.delete(key);
      this.#taken.add(key);
      return { key, waitedMs: nowMs - sinceMs };
    }
    return null;
  }
}
