import { expect, test } from "@jest/globals";
import { comparedRow, isMet, type Row, row, table, tailTarget } from "../../bench/report.ts";

const time = { name: "work", unit: "ms", better: "lower" } as const;
const speed = { name: "work", unit: "MB/s", better: "higher" } as const;

test("a ratio above 1 means that the pair is better, whichever direction is better", () => {
  expect(comparedRow(time, [200], [100]).ratio).toBe(2);
  expect(comparedRow(speed, [100], [200]).ratio).toBe(2);
});

test("both sides are compared by their medians, and the rest is of the pair", () => {
  expect(comparedRow(time, [100, 110, 900], [120, 100, 110])).toEqual({
    ...time,
    ...{ stock: 110, pair: 110, ratio: 1, n: 3, p50: 110, max: 120 },
  });
});

test.each([
  [99, false],
  [100, true],
])("with %i values a 99th percentile is shown: %p", (n, shown) => {
  const values = Array.from({ length: n }, () => 1);
  expect("p99" in row(time, values)).toBe(shown);
  expect(tailTarget(values, "< 5")).toBe(shown ? "p99 < 5" : "max < 5");
});

test("the JSON of a row has the fields of the project's one shape and no others", () => {
  const allowed = "name unit better stock pair ratio n p50 p99 max target".split(" ");
  const made = comparedRow({ ...time, target: "ratio >= 0.98" }, [1], [1]);
  expect(allowed).toEqual(expect.arrayContaining(Object.keys(made)));
});

test.each<[string, number, boolean]>([
  ["max < 100", 99.9, true],
  ["max < 100", 100, false],
  ["max <= 0", 0, true],
  ["max <= 0", 1, false],
  ["p50 >= 0.98", 0.98, true],
  ["p50 >= 0.98", 0.97, false],
])("the target %p with the value %p is met: %p", (target, value, met) => {
  expect(isMet(row({ ...time, target }, [value]))).toBe(met);
});

test("a target that names what the row does not have is an error, never met", () => {
  const wrong: Row = { ...row(time, [1]), target: "p99 < 5" };
  expect(() => isMet(wrong)).toThrow('target "p99 < 5"');
});

test("the table says which targets are missed", () => {
  const rows = [
    row({ ...time, target: "max < 5" }, [4]),
    row({ ...speed, target: "max < 5" }, [6]),
  ];
  const lines = table({ name: "cpu", machine: "one", rows }).split("\n");
  expect(lines[2]).toMatch(/met$/);
  expect(lines[3]).toMatch(/MISSED$/);
});
