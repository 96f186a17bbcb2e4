/** How the proof finds the gap that a client saw. */
import { expect, test } from "@jest/globals";
import { Arrivals } from "./arrivals.ts";

function arrivalsAt(...times: readonly number[]): Arrivals {
  const arrivals = new Arrivals();
  for (const ms of times) arrivals.note(ms);
  return arrivals;
}

test("the longest wait that overlaps the time asked for is found, with its end", () => {
  const arrivals = arrivalsAt(0, 500, 510, 600, 605);
  expect(arrivals.longestGap(505, 550)).toEqual({ ms: 90, endedAtMs: 600 });
});

test("a wait counts in full, also where it began before", () => {
  expect(arrivalsAt(0, 100).longestGap(50, 60)).toEqual({ ms: 100, endedAtMs: 100 });
});

test("waits that were over before, or began after, do not count", () => {
  expect(arrivalsAt(0, 90, 100, 110, 200).longestGap(105, 108)).toEqual({ ms: 10, endedAtMs: 110 });
});

test("from the end of one wait on, the next ones count", () => {
  const arrivals = arrivalsAt(0, 500, 510, 540);
  const failover = arrivals.longestGap(10, 20);
  expect(failover).toEqual({ ms: 500, endedAtMs: 500 });
  expect(arrivals.longestGap(failover?.endedAtMs ?? 0, 600)).toEqual({ ms: 30, endedAtMs: 540 });
});

test("where nothing arrived there is no gap", () => {
  expect(arrivalsAt().longestGap(0, 100)).toBeNull();
  expect(arrivalsAt(50).longestGap(0, 100)).toBeNull();
});

test("what is old is forgotten, what is recent is not", () => {
  const arrivals = new Arrivals();
  for (let ms = 0; ms < 300_000; ms++) arrivals.note(ms);
  expect(arrivals.lastMs).toBe(299_999);
  expect(arrivals.longestGap(299_000, 299_999)?.ms).toBe(1);
  expect(arrivals.longestGap(0, 1_000)).toBeNull();
});
