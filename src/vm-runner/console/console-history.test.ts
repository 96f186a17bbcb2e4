import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { consoleHistoryBytes } from "../../shared/limits.ts";
import { ConsoleHistory } from "./console-history.ts";

/** What a console that counts through all byte values prints from `position` on. */
function printed(position: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (position + i) % 251);
}

test("what was remembered is shown only when it may be", () => {
  const history = new ConsoleHistory();
  history.remember(0, printed(0, 10));
  expect(history.from(0).bytes).toHaveLength(0);
  history.show(4);
  expect(history.from(1)).toEqual({ position: 1, bytes: printed(1, 3) });
  history.showAll();
  expect(history.from(0).bytes).toEqual(printed(0, 10));
});

test("a reader that is ahead is given nothing, and stays ahead", () => {
  const history = new ConsoleHistory();
  history.remember(0, printed(0, 10));
  history.showAll();
  expect(history.from(25)).toEqual({ position: 25, bytes: new Uint8Array(0) });
});

test("a history that begins later than the first byte, as after a state transfer, keeps its place", () => {
  const history = new ConsoleHistory();
  history.remember(1_000, printed(1_000, 20));
  history.showAll();
  expect(history.from(0)).toEqual({ position: 1_000, bytes: printed(1_000, 20) });
});

test("however output comes, in pieces or again, the last 64 KiB stand at their positions", () => {
  const pieces = fc.array(
    fc.record({
      back: fc.integer({ min: 0, max: 50 }),
      length: fc.integer({ min: 1, max: 40_000 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(pieces, (steps) => {
      const history = new ConsoleHistory();
      let end = 0;
      for (const { back, length } of steps) {
        const position = Math.max(0, end - back);
        history.remember(position, printed(position, length));
        end = Math.max(end, position + length);
      }
      history.showAll();
      const { position, bytes } = history.from(0);
      expect(position).toBe(Math.max(0, end - consoleHistoryBytes));
      expect(bytes).toEqual(printed(position, end - position));
    }),
    { numRuns: 50 },
  );
});
