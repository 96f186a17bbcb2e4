/** When a client received something, and for how long it received nothing. */

/** Of so many the older half is forgotten: the rest is more than what happens around one failure. */
const countMax = 200_000;

export interface Gap {
  readonly ms: number;
  readonly endedAtMs: number;
}

export class Arrivals {
  #times: number[] = [];

  get lastMs(): number {
    return this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  note(nowMs: number): void {
    this.#times.push(nowMs);
    if (this.#times.length > countMax) this.#times = this.#times.slice(-countMax / 2);
  }

  /** Of all waits that began before `toMs` and ended after `fromMs`, the longest; null: none. */
  longestGap(fromMs: number, toMs: number): Gap | null {
    let longest: Gap | null = null;
    for (const [i, endedAtMs] of this.#times.entries()) {
      const beganMs = this.#times[i - 1];
      if (beganMs === undefined || beganMs > toMs || endedAtMs <= fromMs) continue;
      const ms = endedAtMs - beganMs;
      if (longest === null || ms > longest.ms) longest = { ms, endedAtMs };
    }
    return longest;
  }
}
