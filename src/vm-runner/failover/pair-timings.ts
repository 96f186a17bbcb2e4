/** How the pair watches itself, as a value: users choose it for each VM, and the simulator too. */
import {
  executionTimeoutMs,
  failureTimeoutMs,
  heartbeatIntervalMs,
  lagTargetMs,
} from "../../shared/limits.ts";

export interface PairTimings {
  readonly heartbeatIntervalMs: number;
  /** Silence of heartbeats or of the log that counts as failure. */
  readonly failureTimeoutMs: number;
  /** Execution lag above which the primary is slowed. */
  readonly lagTargetMs: number;
}

/** What every runner uses that is told nothing else. */
export const pairTimings: PairTimings = { heartbeatIntervalMs, failureTimeoutMs, lagTargetMs };

/** Whoever may be silent for so long may as well stand still for it: it could say nothing else. */
export function executionTimeoutOf(timings: PairTimings): number {
  return Math.max(executionTimeoutMs, timings.failureTimeoutMs);
}

/**
 * A candidate this close behind counts as caught up: at the target the CPU limit bites no more, and
 * a little above it only a little.
 */
export function caughtUpMsOf(timings: PairTimings): number {
  return timings.lagTargetMs + 30;
}
