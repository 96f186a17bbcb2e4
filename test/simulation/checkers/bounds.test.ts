import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { BoundsChecker } from "./bounds.ts";
import { audit, executed, lived, printed, recorded } from "./hand-written-history.ts";

const buffer = (size: number): Happening => ({
  kind: "buffer",
  process: "a1",
  buffer: "log",
  size,
  limit: 100,
});
const text = (index: number, position: number, length: number) =>
  executed("a1", { index, position, text: "x".repeat(length) });

const oneOut = [lived("a1", 1, 0), text(0, 0, 1), printed("a1", 1, 0, 0, "x")];

test.each<[string, readonly Happening[]]>([
  ["a buffer at its limit", [buffer(1), buffer(100)]],
  ["held console bytes at the bound", [...oneOut, text(1, 1, 10), recorded("a1", 2)]],
  [
    "console bytes that leave in time",
    [
      ...oneOut,
      text(1, 1, 8),
      printed("a1", 1, 1, 1, "xxxxxxxx"),
      text(2, 9, 8),
      recorded("a1", 3),
    ],
  ],
  [
    "what is printed while nobody can tell the machine to wait",
    [
      { kind: "started", process: "a1", node: "a" },
      { kind: "fault", fault: { kind: "stall", node: "a", forMs: 9, atMs: 0 } },
      ...oneOut,
      text(1, 1, 11),
      recorded("a1", 2),
    ],
  ],
  ["what a backup printed before it lived", [text(0, 0, 50), lived("a1", 1, 1), recorded("a1", 1)]],
  [
    "what it printed as a backup between two lives",
    [...oneOut, text(1, 1, 50), lived("a1", 3, 2), recorded("a1", 2)],
  ],
])("%s passes", (_, history) => {
  expect(() => audit(new BoundsChecker(10), history, {})).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "a buffer above its limit",
    [buffer(101)],
    'a1: the buffer "log" has grown to 101, and its limit is 100',
  ],
  [
    "console bytes that pile up",
    [...oneOut, text(1, 1, 11), recorded("a1", 2)],
    "a1 holds 11 console bytes that it has printed, and 10 are the limit",
  ],
])("%s is a violation", (_, history, message) => {
  expect(() => audit(new BoundsChecker(10), history, {})).toThrow(message);
});
