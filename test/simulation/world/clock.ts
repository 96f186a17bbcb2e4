/** Simulated time: what happens next, and the clocks of computers, none of which is right. */
import { assert } from "../../../src/shared/assert.ts";
import type { ClockShape } from "../scenario.ts";

interface Happening {
  readonly atMs: number;
  /** Of two things at one moment, the one that was put down first happens first. */
  readonly number: number;
  readonly run: () => void;
}

/** Turns of the microtask queue after which every promise that can be settled is. */
const settlingTurns = 32;

/** The world's own time and everything that will happen, as a binary heap. */
export class Agenda {
  nowMs = 0;
  readonly #heap: Happening[] = [];
  #number = 0;
  #settling = false;

  after(ms: number, run: () => void): void {
    this.#number++;
    this.#heap.push({ atMs: this.nowMs + ms, number: this.#number, run });
    this.#rise(this.#heap.length - 1);
  }

  /** When the next thing happens. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** What is happening now settles promises: their continuations come before anything else. */
  settle(): void {
    this.#settling = true;
  }

  /** Lets the next thing happen. Gives a promise only when there are promises to settle. */
  next(): Promise<void> | null {
    const happening = this.#heap[0];
    assert(happening !== undefined, "nothing will ever happen again");
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.nowMs = Math.max(this.nowMs, happening.atMs);
    happening.run();
    return this.#settling ? this.#settle() : null;
  }

  async #settle(): Promise<void> {
    while (this.#settling) {
      this.#settling = false;
      for (let i = 0; i < settlingTurns; i++) await null;
    }
  }

  #rise(start: number): void {
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, first)) first = child;
      }
      if (first === at) return;
      this.#swap(at, first);
      at = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.number < y.number);
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x === undefined || y === undefined) return;
    this.#heap[a] = y;
    this.#heap[b] = x;
  }
}

/** A computer's monotonic clock: it starts anywhere, runs at its own rate, and may leap ahead. */
export class DriftingClock {
  readonly #agenda: Agenda;
  #worldMs: number;
  #ownMs: number;
  #rate: number;

  constructor(agenda: Agenda, shape: ClockShape) {
    this.#agenda = agenda;
    this.#worldMs = agenda.nowMs;
    this.#ownMs = shape.offsetMs;
    this.#rate = shape.rate;
  }

  get nowMs(): number {
    return this.#ownMs + (this.#agenda.nowMs - this.#worldMs) * this.#rate;
  }

  /** What a timer of `ms` on this clock takes in the world's time. */
  inWorldMs(ms: number): number {
    return ms / this.#rate;
  }

  leap(ms: number): void {
    assert(ms >= 0, `a monotonic clock cannot leap by ${ms} ms`);
    this.#restart(this.#rate);
    this.#ownMs += ms;
  }

  set rate(rate: number) {
    this.#restart(rate);
  }

  #restart(rate: number): void {
    this.#ownMs = this.nowMs;
    this.#worldMs = this.#agenda.nowMs;
    this.#rate = rate;
  }
}
