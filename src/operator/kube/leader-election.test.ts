import { expect, test } from "@jest/globals";
import {
  afterGrant,
  afterReading,
  type ElectionLease,
  type ElectionState,
  electLeader,
  isLeading,
  startElection,
} from "./leader-election.ts";

const times = { durationMs: 15_000, deadlineMs: 10_000, retryMs: 2_000 };
const fresh = startElection("me", times);
const leaseOf = (holder: string | null, version = "1", durationMs = 15_000): ElectionLease => ({
  holder,
  version,
  durationMs,
});
const seen = (lease: ElectionLease | null, sinceMs = 0) => afterReading(fresh, lease, sinceMs);
const leading = (renewedMs: number) => afterGrant(fresh, leaseOf("me", "5"), renewedMs, renewedMs);

const decisions: [string, ElectionState, number, string][] = [
  ["has not read the Lease reads it", fresh, 0, "read"],
  ["finds none makes it", seen(null), 0, "create"],
  ["finds nobody's takes it at once", seen(leaseOf(null)), 0, "take"],
  ["finds another's waits", seen(leaseOf("other")), 14_999, "wait"],
  [
    "has seen another's unchanged for its duration takes it",
    seen(leaseOf("other")),
    15_000,
    "take",
  ],
  [
    "finds a shorter one waits as long as that says",
    seen(leaseOf("other", "1", 1_000)),
    1_000,
    "take",
  ],
  ["leads renews", leading(0), 9_999, "renew"],
  ["could not renew in time is out, whatever it has seen", leading(0), 10_000, "lost"],
  [
    "leads and finds another's is out",
    afterReading(leading(0), leaseOf("other", "6"), 10),
    10,
    "lost",
  ],
  ["leads and finds none is out", afterReading(leading(0), null, 10), 10, "lost"],
];

test.each(decisions)("who %s", (_, state, nowMs, wish) => {
  expect(electLeader(state, nowMs).kind).toBe(wish);
});

test("a Lease that changes is waited for anew, whatever its times say", () => {
  let state = seen(leaseOf("other", "1"), 0);
  state = afterReading(state, leaseOf("other", "2"), 14_000);
  expect(electLeader(state, 28_999).kind).toBe("wait");
  state = afterReading(state, leaseOf("other", "2"), 28_000);
  expect(electLeader(state, 29_000).kind).toBe("take");
});

test("the leader's time counts from when the renewal was begun, not from its answer", () => {
  const state = afterGrant(fresh, leaseOf("me"), 1_000, 9_000);
  expect(isLeading(state, 10_999)).toBe(true);
  expect(isLeading(state, 11_000)).toBe(false);
});

test("a leader that stood still is out before anybody else may begin", () => {
  // It renewed at 0; the other one sees that change at once, at the earliest.
  const other = afterReading(startElection("other", times), leaseOf("me", "5"), 0);
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 100) {
    const both = isLeading(leading(0), nowMs) && electLeader(other, nowMs).kind === "take";
    expect(both).toBe(false);
  }
});
