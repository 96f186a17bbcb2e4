import { expect, test } from "@jest/globals";
import { CounterCheck } from "./counter-check.ts";

function check(...pieces: readonly (readonly [string, number])[]): CounterCheck {
  const counter = new CounterCheck({ word: "counter", numbersOnly: false });
  for (const [text, atMs] of pieces) counter.push(text, atMs);
  return counter;
}

test("numbers that follow one another are no fault, whatever else is printed between", () => {
  const counter = check(
    ["~ # counter\r\ncounter 1\r\ncoun", 0],
    ["ter 2\r\nother\r\ncounter 3\r\n", 10],
  );
  expect(counter.faults).toEqual([]);
  expect([counter.count, counter.last]).toEqual([3, 3]);
});

test("a number that is missing is a fault", () => {
  expect(check(["counter 1\ncounter 3\ncounter 4\n", 0]).faults).toEqual([
    { kind: "missing", expected: 2, found: 3 },
  ]);
});

test("a number that is repeated is a fault", () => {
  expect(check(["counter 1\ncounter 2\ncounter 2\n", 0]).faults).toEqual([
    { kind: "repeated", expected: 3, found: 2 },
  ]);
});

test("bytes lost inside a line are a missing number", () => {
  expect(check(["counter 1\ncouter 2\ncounter 3\n", 0]).faults).toHaveLength(1);
});

test("the longest gap is the longest time between two numbers after a moment", () => {
  const counter = check(
    ["counter 1\n", 0],
    ["counter 2\n", 500],
    ["counter 3\n", 510],
    ["counter 4\n", 600],
    ["counter 5\n", 800],
  );
  expect(counter.longestGapMs(505)).toBe(200);
  expect(counter.longestGapMs(505, 590)).toBe(90);
  expect(counter.longestGapMs(0)).toBe(500);
  expect(counter.longestGapMs(900)).toBe(0);
});

test("where only numbers may come they begin with 1, and any other line is a fault", () => {
  const counter = new CounterCheck({ word: "counter", numbersOnly: true });
  counter.push("counter 2\ncouter 3\ncounter 3\ncounter 4\r\n", 0);
  expect(counter.faults).toEqual([
    { kind: "missing", expected: 1, found: 2 },
    { kind: "wrong", line: "couter 3" },
    { kind: "wrong", line: "counter 4\r" },
  ]);
});
