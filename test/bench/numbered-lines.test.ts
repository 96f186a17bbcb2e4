import { expect, test } from "@jest/globals";
import { NumberedLines } from "../../bench/numbered-lines.ts";

function fed(text: string): NumberedLines {
  const lines = new NumberedLines();
  lines.feed(Buffer.from(text), 0);
  return lines;
}

test.each<[string, string, { count: number; lost: number; repeated: number }]>([
  [
    "a whole series loses nothing",
    "counter 1\r\ncounter 2\r\n",
    { count: 2, lost: 0, repeated: 0 },
  ],
  ["a hole is as many lost lines", "counter 1\ncounter 5\n", { count: 2, lost: 3, repeated: 0 }],
  [
    "a line that comes again is repeated",
    "counter 1\ncounter 2\ncounter 2\ncounter 3\n",
    {
      ...{ count: 4, lost: 0, repeated: 1 },
    },
  ],
  ["other output is no line", "hello\ncounter x\ncounter 1\n", { count: 1, lost: 0, repeated: 0 }],
  [
    "a line that has not ended is not counted",
    "counter 1\ncount",
    {
      ...{ count: 1, lost: 0, repeated: 0 },
    },
  ],
])("%s", (_, text, expected) => {
  const { count, lost, repeated } = fed(text);
  expect({ count, lost, repeated }).toEqual(expected);
});

test("a line may come in pieces", () => {
  const lines = fed("counter 1\ncoun");
  lines.feed(Buffer.from("ter 2\n"), 10);
  expect(lines.count).toBe(2);
});

test("bytes that nobody has any more count as a loss", () => {
  const lines = fed("counter 1\n");
  lines.missed(300);
  expect(lines.lost).toBeGreaterThan(0);
});

test("the longest gap is the one that a failure began, not one before or long after it", () => {
  const lines = new NumberedLines();
  for (const [i, atMs] of [0, 500, 510, 590, 600, 5_000].entries()) {
    lines.feed(Buffer.from(`counter ${i + 1}\n`), atMs);
  }
  expect(lines.longestGap(515, 2_515)).toBe(4_400);
  expect(lines.longestGap(515, 595)).toBe(80);
});
