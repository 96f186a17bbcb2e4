import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Fifo } from "./fifo.ts";

type Action = { readonly append: number } | { readonly drop: number };

const anyActions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: fc.nat(99) }) },
    fc.record({ drop: fc.nat(4) }),
  ),
  { maxLength: 300 },
);

test("whatever is appended and dropped, it holds what an array would, and older values keep theirs", () => {
  fc.assert(
    fc.property(anyActions, fc.nat(), (actions, place) => {
      let queue = Fifo.of<number>();
      let expected: readonly number[] = [];
      let older: { queue: Fifo<number>; expected: readonly number[] } | null = null;
      for (const [i, action] of actions.entries()) {
        if (i === place % actions.length) older = { queue, expected };
        const isAppend = "append" in action;
        queue = isAppend ? queue.append(action.append) : queue.drop(action.drop);
        expected = isAppend ? [...expected, action.append] : expected.slice(action.drop);
        expect([queue.first, queue.last]).toEqual([expected[0], expected.at(-1)]);
        expect(queue.length).toBe(expected.length);
      }
      expect([...queue]).toEqual(expected);
      expect(older === null ? null : [...older.queue]).toEqual(older?.expected ?? null);
    }),
  );
});

test("two queues made from the same one know nothing of each other", () => {
  const base = Fifo.of(1, 2);
  const [left, right] = [base.append(3), base.append(4)];
  expect([[...base], [...left], [...right], [...left.append(5)]]).toEqual([
    [1, 2],
    [1, 2, 3],
    [1, 2, 4],
    [1, 2, 3, 5],
  ]);
});

test("the front is counted, taken and dropped; more than is there is all of it", () => {
  const queue = Fifo.of(1, 2, 3, 1);
  expect(queue.countWhile((item) => item < 3)).toBe(2);
  expect(queue.countWhile(() => true)).toBe(4);
  expect(queue.take(2)).toEqual([1, 2]);
  expect(queue.take(9)).toEqual([1, 2, 3, 1]);
  expect([...queue.drop(9)]).toEqual([]);
  expect(queue.drop(9).last).toBeUndefined();
});
