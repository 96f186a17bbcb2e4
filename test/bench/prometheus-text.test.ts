import { expect, test } from "@jest/globals";
import {
  countOf,
  histogramOf,
  histogramQuantile,
  largestBound,
  samplesOf,
  since,
  sumOf,
} from "../../bench/operator-scale/prometheus-text.ts";

const text = `# HELP writes_total Writes
# TYPE writes_total counter
writes_total{kind="Pod",verb="create"} 3
writes_total{kind="Pod",verb="delete"} 1
writes_total{kind="Lease",verb="create",note="a \\"quoted\\", word"} 2
up 1
took_seconds_bucket{le="0.1"} 5
took_seconds_bucket{le="+Inf"} 10
took_seconds_bucket{le="0.2"} 9
took_seconds_sum 1.5
took_seconds_count 10
`;
const samples = samplesOf(text);

test("numbers are found by name and labels, and those of several series are added", () => {
  expect(sumOf(samples, "up")).toBe(1);
  expect(sumOf(samples, "writes_total")).toBe(6);
  expect(sumOf(samples, "writes_total", { kind: "Pod" })).toBe(4);
  expect(sumOf(samples, "writes_total", { note: 'a \\"quoted\\", word' })).toBe(2);
  expect(sumOf(samples, "writes")).toBe(0);
});

test("a histogram's buckets are in the order of their bounds", () => {
  const histogram = histogramOf(samples, "took_seconds");
  expect(histogram).toEqual({ bounds: [0.1, 0.2, Number.POSITIVE_INFINITY], counts: [5, 9, 10] });
  expect(countOf(histogram)).toBe(10);
  expect(() => histogramOf(samples, "took")).toThrow("there is no histogram took");
});

const infinite = Number.POSITIVE_INFINITY;

test.each<[string, readonly number[], number, number]>([
  ["the first bucket begins at 0", [10, 10, 10, 10], 0.5, 0.5],
  ["a bucket's values lie evenly in it", [0, 10, 10, 10], 0.5, 1.5],
  ["empty buckets are passed over", [50, 50, 100, 100], 0.99, 3.96],
  ["above the last finite bound, that bound is all that is known", [0, 0, 0, 10], 0.5, 4],
])("a quantile: %s", (_, counts, share, expected) => {
  const bounds = [1, 2, 4, infinite];
  expect(histogramQuantile({ bounds, counts }, share)).toBeCloseTo(expected, 10);
});

test("the largest bound is that of the highest bucket with a value", () => {
  const bounds = [1, 2, 4, infinite];
  expect(largestBound({ bounds, counts: [5, 6, 6, 6] })).toBe(2);
  expect(largestBound({ bounds, counts: [6, 6, 6, 6] })).toBe(1);
});

test("what came later is known without what was before", () => {
  const bounds = [1, infinite];
  const later = since({ bounds, counts: [5, 6] }, { bounds, counts: [5, 9] });
  expect(later).toEqual({ bounds, counts: [0, 3] });
});

test("nothing measured is an error, never a zero that looks like a good figure", () => {
  expect(() => histogramQuantile({ bounds: [1, infinite], counts: [0, 0] }, 0.5)).toThrow(
    "no value was measured",
  );
});
