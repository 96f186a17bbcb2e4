/**
 * Nobody counts as lost for its silence before the time that the user allows it has passed (the
 * paper, section 2.3), by the clock of whoever waits. A false alarm costs redundancy.
 */
import type { PairTimings } from "../../../src/vm-runner/failover/pair-timings.ts";
import type { SimEvent } from "../events.ts";
import { type Checker, Violation } from "./checker.ts";

export class DetectionChecker implements Checker {
  readonly #timings: PairTimings;

  constructor(timings: PairTimings) {
    this.#timings = timings;
  }

  observe(event: SimEvent): void {
    if (event.kind !== "suspected" || event.silentMs === null) return;
    const { process, reason, silentMs } = event;
    const { failureTimeoutMs, heartbeatIntervalMs } = this.#timings;
    const allowedMs = reason.startsWith("no heartbeat for")
      ? failureTimeoutMs
      : reason === "connection closed and no heartbeat since"
        ? 2 * heartbeatIntervalMs
        : 0;
    if (silentMs >= allowedMs) return;
    const message = `${process} counts the other half as lost ("${reason}") after ${silentMs.toFixed(1)} ms without a heartbeat; ${allowedMs} ms are allowed`;
    throw new Violation("detection", message);
  }

  finish(): void {}
}
