/**
 * How virtual time follows real time (both in microseconds). The guest's clock runs at the speed
 * of the real one; after a pause it is behind, and catches up a little faster than real time, so
 * that no timer of the guest sees a leap. It never goes back, and a guest whose own clock reads
 * carried it ahead waits for real time.
 */
import type { VirtualUs } from "./log-entry.ts";

/** Virtual against real speed while the guest is behind. */
const catchUpSpeed = 1.25;
/** A gap between two steps that is longer than this, and not the guest's own sleep, is a pause. */
const pauseUs = 20_000;
/** The guest may be this far ahead of real time before it waits. */
const aheadMaxUs = 5_000;
/** How far the clocks of two computers may drift apart, as a share of time. */
const driftShare = 1e-4;

export class Pace {
  /** Virtual minus real time, where the guest would be if it had never paused. */
  #offsetUs: number | null = null;
  #lastRealUs = 0;

  /**
   * A backup saw that the primary has reached `timeUs`: its own guest, once live, is to catch up
   * with the clock that the outside has seen.
   */
  observe(nowUs: number, timeUs: VirtualUs): void {
    const seen = timeUs - nowUs;
    if (this.#offsetUs === null) this.#offsetUs = seen;
    const drifted = this.#offsetUs - (nowUs - this.#lastRealUs) * driftShare;
    this.#offsetUs = Math.max(seen, drifted);
    this.#lastRealUs = nowUs;
  }

  /** Recording begins, or begins again, with the guest at `timeUs`. */
  start(nowUs: number, timeUs: VirtualUs): void {
    this.#offsetUs = Math.max(this.#offsetUs ?? timeUs - nowUs, timeUs - nowUs);
    this.#lastRealUs = nowUs;
  }

  /** The time of the next entry, for a guest at `timeUs` that meant to sleep for `sleepUs`. */
  next(nowUs: number, timeUs: VirtualUs, sleepUs: number): VirtualUs {
    const elapsedUs = Math.max(0, nowUs - this.#lastRealUs);
    this.#lastRealUs = nowUs;
    const reachable = timeUs + catchUpSpeed * Math.min(elapsedUs, sleepUs + pauseUs);
    return Math.max(timeUs, Math.floor(Math.min(this.#goal(nowUs), reachable)));
  }

  /** Whole microseconds of real time until the guest at `timeUs` may have slept for `sleepUs`; 0: now. */
  waitUs(nowUs: number, timeUs: VirtualUs, sleepUs: number): number {
    const untilGoal = timeUs + sleepUs - this.#goal(nowUs);
    if (sleepUs === 0) return untilGoal > aheadMaxUs ? Math.ceil(untilGoal) : 0;
    const untilReachable = sleepUs / catchUpSpeed - (nowUs - this.#lastRealUs);
    return Math.ceil(Math.max(0, untilGoal, untilReachable));
  }

  #goal(nowUs: number): VirtualUs {
    return nowUs + (this.#offsetUs ?? 0);
  }
}
