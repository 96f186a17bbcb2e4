import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  consoleInputPerEntryBytes,
  consoleWriterBytesMax,
  consoleWritersMax,
} from "../../shared/limits.ts";
import { InputQueue, type InputRoom } from "./input-queue.ts";
import type { ConsoleInput, IngressInput } from "./log-entry.ts";

function typed(position: number, bytes: Uint8Array, writer = 1): ConsoleInput {
  return { kind: "console", writer, position, bytes };
}

/** A guest whose console has room for so many bytes, and its card for so many frames. */
function room(consoleInputRoom: number, ingressRoom = 0): InputRoom {
  return { consoleInputRoom, ingressRoom };
}

test("every byte comes out once, in order, with its position, whatever room the guest has", () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 20 });
  const rooms = fc.array(fc.nat(40), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(pieces, rooms, (texts, roomOf) => {
      const queue = new InputQueue();
      let position = 0;
      for (const bytes of texts) {
        queue.pushTyped(typed(position, bytes), 0);
        position += bytes.length;
      }
      const taken: number[] = [];
      for (let turn = 0; queue.hasInput(room(1)); turn++) {
        const given =
          turn % 2 === 0 ? consoleInputPerEntryBytes : (roomOf[turn % roomOf.length] ?? 0);
        let length = 0;
        for (const input of queue.take(room(given))) {
          if (input.kind !== "console") continue;
          expect(input.position).toBe(taken.length);
          taken.push(...input.bytes);
          length += input.bytes.length;
        }
        expect(length).toBeLessThanOrEqual(Math.min(given, consoleInputPerEntryBytes));
      }
      expect(taken).toEqual(texts.flatMap((bytes) => [...bytes]));
    }),
  );
});

test("a guest without room for console bytes is given none, and the queue waits", () => {
  const queue = new InputQueue();
  queue.pushTyped(typed(0, Uint8Array.of(1)), 0);
  expect(queue.hasInput(room(0))).toBe(false);
  expect(queue.take(room(0))).toEqual([]);
  expect(queue.hasInput(room(1))).toBe(true);
});

const ten = Uint8Array.from({ length: 10 }, (_, i) => i);
const from = (position: number, end: number) => ten.subarray(position, end);

/** All that the queue gives, as [position of the first byte, bytes]. */
function drained(queue: InputQueue): [number, number[]][] {
  const all: [number, number[]][] = [];
  while (queue.hasInput(room(1))) {
    for (const input of queue.take(room(16))) {
      if (input.kind === "console") all.push([input.position, [...input.bytes]]);
    }
  }
  return all;
}

test.each<[string, number, number, number | null, number, [number, number[]][]]>([
  ["continues what the guest was given", 4, 6, 4, 0, [[4, [4, 5]]]],
  ["overlaps what the guest was given", 2, 6, 4, 0, [[4, [4, 5]]]],
  ["was given to the guest: its last byte is logged again", 1, 4, 4, 1, [[3, [3]]]],
  ["comes after a gap", 5, 6, 4, 0, []],
  ["is of a new writer", 0, 2, 0, 0, [[0, [0, 1]]]],
  ["is of a new writer, after a gap", 2, 3, 0, 0, []],
  ["is of a forgotten writer, where that was accepted", 4, 6, 0, 4, [[4, [4, 5]]]],
  ["is of a forgotten writer, after a gap", 5, 6, 0, 4, []],
  ["was accepted", 2, 4, 0, 4, []],
  ["comes before anybody knows what the guest was given", 4, 6, null, 2, [[4, [4, 5]]]],
  ["is empty", 4, 4, 4, 0, []],
])("a piece that %s", (_, position, end, given, accepted, expected) => {
  const queue = new InputQueue();
  queue.pushTyped({ ...typed(position, from(position, end)), accepted }, given);
  expect(drained(queue)).toEqual(expected);
});

test.each<[string, number, number, number[]]>([
  ["continues what waits", 6, 8, [4, 5, 6, 7]],
  ["waits already", 4, 6, [4, 5]],
  ["waits in part", 5, 8, [4, 5, 6, 7]],
  ["begins before what waits", 2, 7, [4, 5, 6]],
  ["comes after a gap", 7, 8, [4, 5]],
])("behind bytes of its writer, a piece that %s", (_, position, end, expected) => {
  const queue = new InputQueue();
  queue.pushTyped(typed(4, from(4, 6)), 4);
  queue.pushTyped(typed(position, from(position, end)), 4);
  expect(drained(queue).flatMap(([, bytes]) => bytes)).toEqual(expected);
});

test("of all that comes again after a failover one byte is logged again, and new bytes find room", () => {
  const queue = new InputQueue();
  queue.pushTyped(typed(0, from(0, 4)), 8);
  queue.pushTyped(typed(4, from(4, 8)), 8);
  queue.pushTyped(typed(8, from(8, 10)), 8);
  expect(drained(queue)).toEqual([
    [3, [3]],
    [8, [8, 9]],
  ]);
});

test("an entry has no more of an input than the log has: not what its writer knows", () => {
  const queue = new InputQueue();
  queue.pushTyped({ ...typed(4, from(4, 6)), accepted: 4 }, 4);
  expect(queue.take(room(16))).toEqual([typed(4, from(4, 6))]);
});

test("each writer has room of its own; what is above it is refused whole, and comes again", () => {
  const queue = new InputQueue();
  for (let writer = 1; writer <= consoleWritersMax; writer++) {
    queue.pushTyped(typed(0, new Uint8Array(consoleWriterBytesMax - 1), writer), 0);
    queue.pushTyped(typed(consoleWriterBytesMax - 1, Uint8Array.of(1, 2), writer), 0);
    queue.pushTyped(typed(consoleWriterBytesMax + 1, Uint8Array.of(3), writer), 0);
  }
  queue.pushTyped(typed(0, Uint8Array.of(1), consoleWritersMax + 1), 0);
  const writers = queue.takeTyped().map(({ writer, bytes }) => [writer, bytes.length]);
  const expected = Array.from({ length: consoleWritersMax }, (_, i) => {
    return [i + 1, consoleWriterBytesMax - 1];
  });
  expect(writers).toEqual(expected);
  queue.pushTyped(typed(0, Uint8Array.of(1), consoleWritersMax + 1), 0);
  expect(drained(queue)).toEqual([[0, [1]]]);
});

test("a writer whose bytes were taken has room again", () => {
  const queue = new InputQueue();
  queue.pushTyped(typed(0, new Uint8Array(consoleWriterBytesMax)), 0);
  queue.take(room(16));
  queue.pushTyped(typed(consoleWriterBytesMax, new Uint8Array(16)), 16);
  const taken = drained(queue).reduce((sum, [, bytes]) => sum + bytes.length, 0);
  expect(taken).toBe(consoleWriterBytesMax);
});

test("a guest that does not read its console can be switched off: control inputs do not wait", () => {
  const queue = new InputQueue();
  queue.pushTyped(typed(0, Uint8Array.of(1)), 0);
  queue.push({ kind: "powerOff" });
  expect(queue.hasInput(room(0))).toBe(true);
  expect(queue.take(room(0))).toEqual([{ kind: "powerOff" }]);
  expect(queue.take(room(16)).map(({ kind }) => kind)).toEqual(["console"]);
});

const frames: IngressInput = {
  kind: "ingress",
  gateway: 7,
  first: 0,
  frames: [new Uint8Array(60), new Uint8Array(60)],
};

test("control inputs, frames and typed bytes share an entry, and none of them waits for another", () => {
  const queue = new InputQueue();
  for (let i = 0; i < 20; i++) queue.push({ kind: "powerOff" });
  for (let writer = 1; writer <= 20; writer++) queue.pushTyped(typed(0, from(0, 1), writer), 0);
  queue.pushFrames(frames, null);
  const first = queue.take(room(16, 9)).map(({ kind }) => kind);
  expect(first).toEqual([...Array(14).fill("powerOff"), "ingress"]);
  const second = queue.take(room(16, 9)).map(({ kind }) => kind);
  expect(second).toEqual([...Array(6).fill("powerOff"), ...Array(9).fill("console")]);
});

test("frames wait for room on the guest's card, and do not hold up what is typed", () => {
  const queue = new InputQueue();
  queue.pushFrames(frames, null);
  expect(queue.hasInput(room(16, 0))).toBe(false);
  expect(queue.hasInput(room(0, 1))).toBe(true);
  queue.pushTyped(typed(0, from(0, 2)), 0);
  expect(queue.take(room(16, 0))).toEqual([typed(0, from(0, 2))]);
  expect(queue.take(room(16, 9))).toEqual([frames]);
});

test("cleared, it has nothing", () => {
  const queue = new InputQueue();
  queue.pushFrames(frames, null);
  queue.pushTyped(typed(0, from(0, 2)), 0);
  queue.push({ kind: "powerOff" });
  queue.clear();
  expect(queue.hasInput(room(16, 9))).toBe(false);
});
