import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { executed, received, recorded, restored } from "./hand-written-history.ts";
import { Possession } from "./possession.ts";

function throughAfter(...history: readonly Happening[]): number {
  const possession = new Possession();
  for (const happening of history) possession.observe({ atMs: 0, ...happening });
  return possession.through("b1");
}

test.each<[string, readonly Happening[], number]>([
  ["who received nothing has nothing", [], -1],
  ["log alone is nothing without a state to apply it to", [received("b1", 5, 3)], -1],
  ["a restored machine has what came with its snapshot", [restored("b1", 5)], 4],
  ["the log that came before counts", [received("b1", 5, 3), restored("b1", 5)], 7],
  ["so does what comes after", [restored("b1", 5), received("b1", 5), received("b1", 6, 2)], 7],
  ["not what comes after a gap", [restored("b1", 5), received("b1", 5), received("b1", 7)], 5],
  ["what comes twice counts once", [restored("b1", 5), received("b1", 5, 3), received("b1", 6)], 7],
  ["what a process recorded it has", [recorded("b1", 0, 4)], 3],
  ["what it executed it has", [executed("b1", { index: 6 })], 6],
  [
    "of two transfers the later one counts",
    [received("b1", 5), restored("b1", 5), received("b1", 90), received("b1", 91, 2)],
    5,
  ],
  [
    "and does once its machine stands",
    [
      ...[received("b1", 5), restored("b1", 5), received("b1", 90), received("b1", 91, 2)],
      ...[restored("b1", 90), received("b1", 93)],
    ],
    93,
  ],
])("%s", (_, history, through) => {
  expect(throughAfter(...history)).toBe(through);
});
