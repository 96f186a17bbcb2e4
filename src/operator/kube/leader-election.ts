/**
 * Who of several operators acts: the one whose name is in a Lease, as long as it renews it. Nobody compares
 * wall clocks: a waiting one takes over when it has not seen the Lease change for as long as the Lease says
 * it lasts, by its own clock; the leader stops by its own clock well before, counted from the moment at
 * which it began to send its last renewal that was granted. Machines do not depend on it: each record is
 * changed by compare-and-swap. Two operators at once would only do things twice.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> waiting
 *   waiting --> leading: the Lease was free, or unchanged for its duration, and the change was granted
 *   leading --> leading: renewed
 *   leading --> [*]: not renewed in time, or somebody else's
 * ```
 */
import { assert } from "../../shared/assert.ts";

/** The Lease, as far as it matters. */
export interface ElectionLease {
  /** null: nobody's. */
  readonly holder: string | null;
  /** Changes with every change of the Lease. */
  readonly version: string;
  readonly durationMs: number;
}

export interface ElectionTimes {
  /** How long the Lease lasts without being renewed, for whoever waits. */
  readonly durationMs: number;
  /** The leader stops when its last renewal is so old. */
  readonly deadlineMs: number;
  /** Between two tries. */
  readonly retryMs: number;
}

export const electionTimes: ElectionTimes = {
  durationMs: 15_000,
  deadlineMs: 10_000,
  retryMs: 2_000,
};
assert(
  electionTimes.deadlineMs + electionTimes.retryMs < electionTimes.durationMs,
  "a leader stops before anybody takes its place",
);

export interface ElectionState {
  readonly self: string;
  readonly times: ElectionTimes;
  /** null: it was not read yet; `lease` null: there is none. */
  readonly seen: { readonly lease: ElectionLease | null; readonly sinceMs: number } | null;
  /** When the last renewal that was granted was begun; null: it does not lead. */
  readonly renewedMs: number | null;
}

export type ElectionWish =
  | { readonly kind: "read" }
  | { readonly kind: "create" }
  /** Write its own name into the Lease as it was seen. */
  | { readonly kind: "take" | "renew"; readonly lease: ElectionLease }
  | { readonly kind: "wait" }
  /** It led, and must do nothing any more. */
  | { readonly kind: "lost" };

export function startElection(self: string, times: ElectionTimes): ElectionState {
  return { self, times, seen: null, renewedMs: null };
}

/** What to do now. */
export function electLeader(state: ElectionState, nowMs: number): ElectionWish {
  const { seen, renewedMs, self } = state;
  if (renewedMs !== null && !isLeading(state, nowMs)) return { kind: "lost" };
  if (seen === null) return { kind: "read" };
  const { lease, sinceMs } = seen;
  if (lease === null) return renewedMs === null ? { kind: "create" } : { kind: "lost" };
  if (lease.holder === self) return { kind: "renew", lease };
  if (renewedMs !== null) return { kind: "lost" };
  if (lease.holder === null || nowMs - sinceMs >= lease.durationMs) return { kind: "take", lease };
  return { kind: "wait" };
}

/** May it act at this moment? */
export function isLeading({ renewedMs, times }: ElectionState, nowMs: number): boolean {
  return renewedMs !== null && nowMs - renewedMs < times.deadlineMs;
}

/** The Lease was read; `lease` null: there is none. */
export function afterReading(
  state: ElectionState,
  lease: ElectionLease | null,
  nowMs: number,
): ElectionState {
  const { seen } = state;
  const unchanged = seen !== null && seen.lease?.version === lease?.version;
  return unchanged ? state : { ...state, seen: { lease, sinceMs: nowMs } };
}

/** A change that names itself was granted; `begunMs`: when it was begun to be sent. */
export function afterGrant(
  state: ElectionState,
  lease: ElectionLease,
  begunMs: number,
  nowMs: number,
): ElectionState {
  return { ...state, seen: { lease, sinceMs: nowMs }, renewedMs: begunMs };
}
