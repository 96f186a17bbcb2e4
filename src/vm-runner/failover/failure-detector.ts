/**
 * When the other half counts as lost (the paper, section 2.3: heartbeats and the logging traffic).
 * A false alarm costs redundancy, never safety: the record decides who lives.
 */
import { signOfLifeMs } from "../../shared/limits.ts";
import { executionTimeoutOf, type PairTimings } from "./pair-timings.ts";

export interface PeerWatch {
  /** When the last authentic heartbeat came. */
  readonly heartbeatMs: number;
  /**
   * When the log last moved: a batch (seen by the backup), an acknowledgement (by the primary).
   * It may lie ahead: then silence counts from that moment on.
   */
  readonly logMs: number;
  /** When the connection broke and was not yet made again; null while it stands. */
  readonly closedMs: number | null;
  /** A dial after the connection broke was refused: nobody listens there any more. */
  readonly refused: boolean;
  /** When the executed index last moved, or last had nothing to move for. */
  readonly executionMs: number;
}

export function newWatch(nowMs: number): PeerWatch {
  return {
    heartbeatMs: nowMs,
    logMs: nowMs,
    closedMs: null,
    refused: false,
    executionMs: nowMs,
  };
}

/**
 * After this runner itself stood still (frozen, or a long pause of its I/O thread) the silence was
 * its own: the others get their full time again.
 */
export function excuseStandstill(watch: PeerWatch, nowMs: number): PeerWatch {
  return {
    ...watch,
    heartbeatMs: nowMs,
    logMs: Math.max(watch.logMs, nowMs),
    closedMs: watch.closedMs === null ? null : nowMs,
    executionMs: nowMs,
  };
}

/** Ticks further apart than this mean that this runner itself stood still. */
export const standstillMs = 2 * signOfLifeMs;

/** Why the other half counts as lost, in words; null while it does not. */
export function lossOf(watch: PeerWatch, timings: PairTimings, nowMs: number): string | null {
  if (watch.closedMs !== null) {
    const loss = lossAfterClose(watch, watch.closedMs, timings, nowMs);
    if (loss !== null) return loss;
  }
  const { failureTimeoutMs } = timings;
  const silence = nowMs - watch.heartbeatMs;
  if (silence > failureTimeoutMs) return `no heartbeat for ${Math.round(silence)} ms`;
  const logSilence = nowMs - watch.logMs;
  if (logSilence > failureTimeoutMs) return `log silent for ${Math.round(logSilence)} ms`;
  const stalled = nowMs - watch.executionMs;
  if (stalled > executionTimeoutOf(timings))
    return `executed nothing for ${Math.round(stalled)} ms`;
  return null;
}

/** A closed connection is noticed at once: one reconnect is tried, for one interval. */
function lossAfterClose(
  watch: PeerWatch,
  closedMs: number,
  { heartbeatIntervalMs, failureTimeoutMs }: PairTimings,
  nowMs: number,
): string | null {
  if (watch.refused) return "connection closed and refused";
  const open = nowMs - closedMs;
  if (open > failureTimeoutMs) return `connection closed for ${Math.round(open)} ms`;
  const heardSince = watch.heartbeatMs > closedMs;
  return open > 2 * heartbeatIntervalMs && !heardSince
    ? "connection closed and no heartbeat since"
    : null;
}
