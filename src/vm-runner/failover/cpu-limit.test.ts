import { expect, test } from "@jest/globals";
import { cpuLimitMin } from "../../shared/limits.ts";
import { nextCpuLimit } from "./cpu-limit.ts";
import { caughtUpMsOf, pairTimings } from "./pair-timings.ts";

function settled(from: number, aboveMs: number, catchingUp = false): number {
  let share = from;
  for (let i = 0; i < 100; i++) share = nextCpuLimit(share, aboveMs, catchingUp);
  return share;
}

test.each([
  [1, 0, 1],
  [1, -20, 1],
  [1, 1, 0.99],
  [1, 1_000, 0.95],
  [0.5, 0, 0.55],
  [0.5, 1_000, 0.45],
  [0.98, 0, 1],
])(
  "from share %f, a lag %i ms above its target leads to %f: a little at a time",
  (share, aboveMs, next) => {
    expect(nextCpuLimit(share, aboveMs, false)).toBeCloseTo(next, 10);
  },
);

test("the limit never stops the guest", () => {
  expect(settled(1, 1e9)).toBeCloseTo(cpuLimitMin, 10);
});

test("for a candidate the guest keeps half its speed", () => {
  expect(settled(1, 1e9, true)).toBeCloseTo(0.5, 10);
  expect(settled(cpuLimitMin, 1e9, true)).toBeCloseTo(0.5, 10);
});

test("without lag the guest gets its whole speed back", () => {
  expect(settled(cpuLimitMin, 0)).toBe(1);
});

test.each([10, 20, 1_000])(
  "at the lag at which a candidate counts as caught up the guest keeps most of its speed: target %i ms",
  (lagTargetMs) => {
    const aboveMs = caughtUpMsOf({ ...pairTimings, lagTargetMs }) - lagTargetMs;
    expect(settled(1, aboveMs)).toBeGreaterThanOrEqual(0.7);
  },
);
