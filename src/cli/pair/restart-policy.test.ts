import { expect, test } from "@jest/globals";
import { emptyHistory, type HalfEnd, planRestart, type RestartDecision } from "./restart-policy.ts";

function decisions(ends: readonly HalfEnd[]): RestartDecision[] {
  let history = emptyHistory;
  return ends.map((end) => {
    const planned = planRestart(history, end);
    history = planned.history;
    return planned.decision;
  });
}

const killed = (atMs: number): HalfEnd => ({ atMs, diverged: false });
const diverged = (atMs: number): HalfEnd => ({ atMs, diverged: true });

test("a half that was killed is started again at once", () => {
  expect(decisions([killed(0), killed(5_000), killed(10_000)])).toEqual(
    Array(3).fill({ kind: "restart", delayMs: 0 }),
  );
});

test("a half that keeps ending waits longer each time, up to a bound, and is then given up", () => {
  const made = decisions(Array.from({ length: 12 }, (_, i) => killed(i)));
  expect(made.map((d) => (d.kind === "restart" ? d.delayMs : d.kind))).toEqual([
    0,
    0,
    0,
    0,
    500,
    1_000,
    2_000,
    4_000,
    8_000,
    15_000,
    15_000,
    "give up",
  ]);
});

test("after a quiet minute old ends are forgotten", () => {
  const made = decisions([...[1, 2, 3, 4, 5].map(killed), killed(60_010)]);
  expect(made.at(-2)).toEqual({ kind: "restart", delayMs: 500 });
  expect(made.at(-1)).toEqual({ kind: "restart", delayMs: 0 });
});

test.each([
  ["three divergences in ten minutes stop the restarts", [0, 200_000, 599_999], "diverged"],
  ["three divergences in a longer time do not", [0, 200_000, 600_000], "restart"],
])("%s", (_, times, expected) => {
  expect(decisions(times.map(diverged)).at(-1)?.kind).toBe(expected);
});

test("other ends do not count as divergences", () => {
  expect(decisions([diverged(0), diverged(1), killed(2)]).at(-1)?.kind).toBe("restart");
});
