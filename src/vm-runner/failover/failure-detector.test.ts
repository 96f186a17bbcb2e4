import { expect, test } from "@jest/globals";
import { executionTimeoutMs, failureTimeoutMs, heartbeatIntervalMs } from "../../shared/limits.ts";
import { excuseStandstill, lossOf, newWatch, type PeerWatch } from "./failure-detector.ts";
import { executionTimeoutOf, pairTimings } from "./pair-timings.ts";

const now = 100_000;
const ago = (ms: number) => now - ms;
const open = 2 * heartbeatIntervalMs + 1;

test.each<[string, Partial<PeerWatch>, string | null]>([
  ["a peer that was heard just now lives", {}, null],
  ["silence up to the timeout is none", { heartbeatMs: ago(failureTimeoutMs) }, null],
  ["no heartbeat", { heartbeatMs: ago(failureTimeoutMs + 1) }, "no heartbeat for 501 ms"],
  [
    "a silent log behind living heartbeats",
    { logMs: ago(failureTimeoutMs + 1) },
    "log silent for 501 ms",
  ],
  [
    "a guest that executes nothing",
    { executionMs: ago(executionTimeoutMs + 1) },
    "executed nothing for 3001 ms",
  ],
  ["a connection that closed just now may be made again", { closedMs: ago(0) }, null],
  [
    "a refused connection is a loss at once",
    { closedMs: ago(0), refused: true },
    "connection closed and refused",
  ],
  ["closed, and a heartbeat since: wait", { closedMs: ago(open) }, null],
  [
    "closed, and no heartbeat since",
    { closedMs: ago(open), heartbeatMs: ago(open) },
    "connection closed and no heartbeat since",
  ],
  ["closed for too long", { closedMs: ago(failureTimeoutMs + 1) }, "connection closed for 501 ms"],
])("%s", (_, but, loss) => {
  expect(lossOf({ ...newWatch(now), ...but }, pairTimings, now)).toBe(loss);
});

test("after a standstill of its own a runner gives the other its full time again", () => {
  const old: PeerWatch = { ...newWatch(0), closedMs: 0 };
  expect(lossOf(old, pairTimings, now)).not.toBeNull();
  expect(lossOf(excuseStandstill(old, now), pairTimings, now)).toBeNull();
  expect(
    lossOf(excuseStandstill(old, now), pairTimings, now + failureTimeoutMs + 1),
  ).not.toBeNull();
});

test("a standstill excuses no refusal", () => {
  const refused: PeerWatch = { ...newWatch(0), closedMs: 0, refused: true };
  expect(lossOf(excuseStandstill(refused, now), pairTimings, now)).toBe(
    "connection closed and refused",
  );
});

test("a standstill does not take away the time that a new primary has for its first entry", () => {
  const waiting = { ...newWatch(1_000), logMs: 3_500 };
  expect(excuseStandstill(waiting, 2_000).logMs).toBe(3_500);
  expect(excuseStandstill(waiting, 4_000).logMs).toBe(4_000);
});

test.each([
  { heartbeatIntervalMs: 50, failureTimeoutMs: 301, lagTargetMs: 20 },
  { heartbeatIntervalMs: 1_000, failureTimeoutMs: 10_000, lagTargetMs: 1_000 },
])("with %o silence of anything counts only after its own time", (timings) => {
  const { heartbeatIntervalMs, failureTimeoutMs } = timings;
  const seen = newWatch(now);
  const silent = (but: Partial<PeerWatch>, ms: number) => {
    const watch = { ...seen, heartbeatMs: now + ms, logMs: now + ms, executionMs: now + ms };
    return lossOf({ ...watch, ...but }, timings, now + ms);
  };
  const executionTimeoutMs = executionTimeoutOf(timings);
  expect(executionTimeoutMs).toBeGreaterThanOrEqual(failureTimeoutMs);
  for (const [but, boundMs] of [
    [{ heartbeatMs: now }, failureTimeoutMs],
    [{ logMs: now }, failureTimeoutMs],
    [{ executionMs: now }, executionTimeoutMs],
    [{ closedMs: now }, failureTimeoutMs],
    [{ closedMs: now, heartbeatMs: now }, 2 * heartbeatIntervalMs],
  ] as const) {
    expect(silent(but, boundMs)).toBeNull();
    expect(silent(but, boundMs + 1)).not.toBeNull();
  }
});
