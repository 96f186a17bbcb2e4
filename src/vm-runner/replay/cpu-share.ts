/**
 * The CPU limit: the share of time in which steps may run, kept over a window so short that the
 * guest sees a slower computer and no stutter. Virtual time is not slowed by it.
 */

/** Steps may use up the share of this much time in one go. */
const windowUs = 10_000;

export class CpuShare {
  #share = 1;
  #budgetUs = windowUs;
  #lastUs = 0;

  /** Above 0, at most 1. */
  set share(share: number) {
    this.#share = share;
  }

  /** A step ran for so long. */
  spend(us: number): void {
    this.#budgetUs -= us;
  }

  /** Whole microseconds of real time until the next step may run; 0: now. */
  waitUs(nowUs: number): number {
    const earned = Math.max(0, nowUs - this.#lastUs) * this.#share;
    this.#lastUs = nowUs;
    this.#budgetUs = Math.min(windowUs * this.#share, this.#budgetUs + earned);
    if (this.#share >= 1) this.#budgetUs = Math.max(0, this.#budgetUs);
    return this.#budgetUs >= 0 ? 0 : Math.ceil(-this.#budgetUs / this.#share);
  }
}
