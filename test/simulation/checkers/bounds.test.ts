import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { BoundsChecker } from "./bounds.ts";
import {
  audit,
  bytes,
  granted,
  heard,
  lived,
  printed,
  received,
  restored,
} from "./hand-written-history.ts";

const bounds = { heldBytes: 10, aheadEntries: 3 };

const buffer = (size: number): Happening => ({
  kind: "buffer",
  process: "a1",
  buffer: "log buffer",
  size,
  limit: 100,
});

const recorded = (first: number, count: number) =>
  heard("a1", { kind: "recorded", batch: { first, count, timeUs: 0, bytes: bytes("") } });
const text = (index: number, position: number, length: number) => {
  const output = { kind: "console" as const, position, bytes: bytes("x".repeat(length)) };
  return heard("a1", { kind: "output", index, output });
};

const paired: readonly Happening[] = [
  recorded(0, 5),
  received("b1", 4),
  restored("b1", 4),
  granted(2, "a1", "b1"),
];

test.each<[string, readonly Happening[]]>([
  ["a buffer at its limit", [buffer(1), buffer(100)]],
  ["a log at its bound ahead of the backup", [...paired, recorded(5, 3)]],
  [
    "a log that goes on as the backup follows",
    [...paired, recorded(5, 3), received("b1", 5, 3), recorded(8, 3)],
  ],
  ["a primary alone, which nobody follows", [granted(1, "a1"), recorded(0, 50)]],
  [
    "console bytes at the bound",
    [text(0, 0, 1), printed("a1", 1, 0, 0, "x"), text(1, 1, 10), recorded(2, 1)],
  ],
  ["what a backup printed before it lived", [text(0, 0, 50), lived("a1", 1, 1), recorded(1, 1)]],
])("%s passes", (_, history) => {
  expect(() => audit(new BoundsChecker(bounds), history, {})).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "a buffer above its limit",
    [buffer(101)],
    "a1: the log buffer has grown to 101, and its limit is 100",
  ],
  [
    "a log that runs away from the backup",
    [...paired, recorded(5, 4)],
    "a1 has recorded 4 entries that its backup b1 does not have, and 3 are the limit",
  ],
  [
    "console bytes that pile up",
    [text(0, 0, 1), printed("a1", 1, 0, 0, "x"), text(1, 1, 11), recorded(2, 1)],
    "a1 holds 11 console bytes that it has printed, and 10 are the limit",
  ],
])("%s is a violation", (_, history, message) => {
  expect(() => audit(new BoundsChecker(bounds), history, {})).toThrow(message);
});
