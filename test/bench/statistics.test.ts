import { expect, test } from "@jest/globals";
import { median, quantile } from "../../bench/statistics.ts";

const cases: [string, readonly number[], number, number][] = [
  ["of one value every quantile is that value", [7], 0.01, 7],
  ["values need not be in order, and are compared as numbers", [10, 9, 100], 0.5, 10],
  ["a quantile is a value that was measured", [1, 2, 3, 4], 0.5, 2],
  ["the share 1 is the largest value", [3, 1, 2], 1, 3],
  ["of 100 values, one is above the 99th percentile", upTo(100), 0.99, 99],
  ["of 99 values, none is above the 99th percentile", upTo(99), 0.99, 99],
];

test.each(cases)("%s", (_, values, share, expected) => {
  expect(quantile(values, share)).toBe(expected);
});

test("the median of an even number of values lies between the two in the middle", () => {
  expect(median([4, 1, 2, 10])).toBe(3);
  expect(median([5, 1, 9])).toBe(5);
});

test("measured values are left in their order", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test.each([0, -0.1, 1.1])("there is no quantile for the share %p", (share) => {
  expect(() => quantile([1], share)).toThrow(`share ${share}`);
});

test("nothing measured is an error, never a zero that looks like a good figure", () => {
  expect(() => median([])).toThrow("no value was measured");
});

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
