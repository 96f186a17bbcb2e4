import { expect, test } from "@jest/globals";
import { batch } from "../../../test/pair-states.ts";
import { appendBatch, batchesFrom, dropThrough, emptyLog, type LogBuffer } from "./log-buffer.ts";

/** Entries 4 to 6, 7, and 8 to 9, of 10 bytes a batch. */
function filled(): LogBuffer {
  return [batch(4, 3), batch(7), batch(8, 2)].reduce(appendBatch, emptyLog(4));
}

const firsts = (log: LogBuffer) => [...log.batches].map(({ first }) => first);

test("batches are kept in order, with their bytes and the entry that is next", () => {
  expect(filled()).toMatchObject({ bytes: 30, next: 10 });
  expect(firsts(filled())).toEqual([4, 7, 8]);
});

test("a gap or a repetition in the log stops the runner", () => {
  expect(() => appendBatch(filled(), batch(11))).toThrow("batch begins at 11, expected 10");
  expect(() => appendBatch(filled(), batch(9))).toThrow("batch begins at 9, expected 10");
});

test("a sign of life takes no room", () => {
  expect(appendBatch(filled(), batch(10, 0))).toEqual(filled());
});

test.each([
  [3, [4, 7, 8], 30],
  [5, [4, 7, 8], 30],
  [6, [7, 8], 20],
  [7, [8], 10],
  [8, [8], 10],
  [9, [], 0],
  [99, [], 0],
])("acknowledged through %i, whole batches are dropped and %j stay", (through, stay, bytes) => {
  const log = dropThrough(filled(), through);
  expect(firsts(log)).toEqual(stay);
  expect(log).toMatchObject({ bytes, next: 10 });
});

test.each([
  [4, [4, 7, 8]],
  [7, [7, 8]],
  [8, [8]],
  [10, []],
])("a follower that needs entry %i gets the batches %j", (from, batches) => {
  expect(batchesFrom(filled(), from)?.map(({ first }) => first)).toEqual(batches);
});

test.each([3, 5, 9, 11])("entry %i begins no kept batch: the log for it is gone", (from) => {
  expect(batchesFrom(filled(), from)).toBeNull();
});
