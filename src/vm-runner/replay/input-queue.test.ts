import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { consoleInputBytesMax, consoleInputPerEntryBytes } from "../../shared/limits.ts";
import { InputQueue } from "./input-queue.ts";
import type { ConsoleInput } from "./log-entry.ts";

function typed(position: number, bytes: Uint8Array, writer = 1): ConsoleInput {
  return { kind: "console", writer, position, bytes };
}

test("every byte comes out once, in order, with its position, whatever room the guest has", () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 20 });
  const rooms = fc.array(fc.nat(40), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(pieces, rooms, (texts, roomOf) => {
      const queue = new InputQueue();
      let position = 0;
      for (const bytes of texts) {
        queue.push(typed(position, bytes));
        position += bytes.length;
      }
      const taken: number[] = [];
      for (let turn = 0; queue.hasInput(1); turn++) {
        const room =
          turn % 2 === 0 ? consoleInputPerEntryBytes : (roomOf[turn % roomOf.length] ?? 0);
        let length = 0;
        for (const input of queue.take(room)) {
          if (input.kind !== "console") continue;
          expect(input.position).toBe(taken.length);
          taken.push(...input.bytes);
          length += input.bytes.length;
        }
        expect(length).toBeLessThanOrEqual(Math.min(room, consoleInputPerEntryBytes));
      }
      expect(taken).toEqual(texts.flatMap((bytes) => [...bytes]));
    }),
  );
});

test("a guest without room for console bytes is given none, and the queue waits", () => {
  const queue = new InputQueue();
  queue.push(typed(0, Uint8Array.of(1)));
  expect(queue.hasInput(0)).toBe(false);
  expect(queue.take(0)).toEqual([]);
  expect(queue.hasInput(1)).toBe(true);
});

test("console bytes above the bound are dropped whole", () => {
  const queue = new InputQueue();
  queue.push(typed(0, new Uint8Array(consoleInputBytesMax)));
  queue.push(typed(consoleInputBytesMax, Uint8Array.of(1)));
  expect(queue.takeAll()).toHaveLength(1);
});

test("control inputs keep their place among what is typed", () => {
  const queue = new InputQueue();
  queue.push(typed(0, Uint8Array.of(1)));
  queue.push({ kind: "powerOff" });
  queue.push(typed(1, Uint8Array.of(2)));
  expect(queue.take(16).map(({ kind }) => kind)).toEqual(["console", "powerOff", "console"]);
});
