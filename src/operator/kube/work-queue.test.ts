import { expect, test } from "@jest/globals";
import { WorkQueue } from "./work-queue.ts";

const queueOf = (retries = { perSecond: 1_000, burst: 1_000 }) =>
  new WorkQueue({ retryMsMin: 10, retryMsMax: 1_000, retries });
const keyOf = (queue: WorkQueue, nowMs: number) => queue.take(nowMs)?.key ?? null;

test("what is added twice is given out once, the oldest first, with how long it waited", () => {
  const queue = queueOf();
  queue.add("a", 0);
  queue.add("b", 1);
  queue.add("a", 2);
  expect(queue.depth).toBe(2);
  expect(queue.take(5)).toEqual({ key: "a", waitedMs: 5 });
  expect(queue.take(5)).toEqual({ key: "b", waitedMs: 4 });
  expect(queue.take(5)).toBeNull();
});

test("one key is never with two workers: what is added meanwhile comes after `done`", () => {
  const queue = queueOf();
  queue.add("a", 0);
  expect(keyOf(queue, 0)).toBe("a");
  queue.add("a", 1);
  queue.add("a", 2);
  expect(queue.take(3)).toBeNull();
  queue.done("a");
  expect(queue.take(3)).toEqual({ key: "a", waitedMs: 2 });
  queue.done("a");
  expect(queue.take(3)).toBeNull();
});

test("what is urgent comes before all that waits, and is given out once", () => {
  const queue = queueOf();
  queue.add("a", 0);
  queue.add("b", 1);
  queue.add("c", 2, { urgent: true });
  queue.add("b", 3, { urgent: true });
  queue.add("c", 4);
  expect(queue.depth).toBe(3);
  expect(queue.take(5)).toEqual({ key: "c", waitedMs: 3 });
  // It waits since it was added first.
  expect(queue.take(5)).toEqual({ key: "b", waitedMs: 4 });
  queue.add("d", 5);
  queue.add("b", 6);
  queue.add("b", 7, { urgent: true });
  queue.done("b");
  expect(queue.take(8)).toEqual({ key: "b", waitedMs: 2 });
  expect(["a", "d", null].map(() => keyOf(queue, 8))).toEqual(["a", "d", null]);
});

test("an appointment is kept, the earlier of two counts, and an `add` is sooner than both", () => {
  const queue = queueOf();
  queue.addAfter("a", 100, 0);
  queue.addAfter("a", 500, 0);
  expect(queue.nextDueMs()).toBe(100);
  expect(queue.take(99)).toBeNull();
  expect(queue.take(103)).toEqual({ key: "a", waitedMs: 3 });
  queue.done("a");
  expect(queue.nextDueMs()).toBeNull();
  queue.addAfter("a", 100, 200);
  queue.add("a", 201);
  expect(keyOf(queue, 201)).toBe("a");
  queue.done("a");
  expect(queue.take(1_000)).toBeNull();
});

test("after each failure a key waits twice as long, up to a bound, until it did not fail", () => {
  const queue = queueOf();
  const delays = Array.from({ length: 9 }, () => queue.addAfterFailure("a", 0));
  expect(delays).toEqual([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
  queue.forgetFailures("a");
  expect(queue.addAfterFailure("a", 0)).toBe(10);
});

test("tries after failures of all keys together are limited", () => {
  const queue = queueOf({ perSecond: 10, burst: 2 });
  const delays = ["a", "b", "c", "d"].map((key) => queue.addAfterFailure(key, 0));
  expect(delays).toEqual([10, 10, 100, 200]);
});

test("a key that is forgotten while it is taken, and added meanwhile, is given out again", () => {
  const queue = queueOf();
  queue.add("a", 0);
  expect(keyOf(queue, 0)).toBe("a");
  queue.addAfter("a", 5, 0);
  queue.add("a", 1);
  queue.forget("a");
  queue.done("a");
  expect(keyOf(queue, 1)).toBe("a");
  queue.done("a");
  expect(queue.take(1_000)).toBeNull();
});

test("the failure of one key delays no other", () => {
  const queue = queueOf();
  queue.add("bad", 0);
  queue.add("good", 0);
  expect(keyOf(queue, 0)).toBe("bad");
  queue.addAfterFailure("bad", 0);
  queue.done("bad");
  expect(keyOf(queue, 0)).toBe("good");
});
