import { expect, test } from "@jest/globals";
import { OutputPosition } from "./output-position.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ["at the next byte", 10, "abc", { position: 10, text: "abc" }, 0, 13],
  ["that began before it", 8, "abc", { position: 10, text: "c" }, 0, 11],
  ["that was seen to its end", 7, "abc", null, 0, 10],
  ["after a gap", 12, "abc", { position: 12, text: "abc" }, 2, 15],
  ["that is empty", 10, "", null, 0, 10],
])("of output %s only what is new is shown", (_, at, printed, fresh, missed, next) => {
  const position = new OutputPosition(10);
  const arrival = position.arrive(at, bytes(printed));
  const expected = fresh && { position: fresh.position, bytes: bytes(fresh.text) };
  expect(arrival).toEqual({ fresh: expected, missed });
  expect(position.next).toBe(next);
});

test("without a position, reading begins with the first output and misses nothing", () => {
  const position = new OutputPosition(null);
  expect(position.skipTo(100)).toBe(0);
  expect(position.arrive(120, bytes("a"))).toMatchObject({ missed: 0 });
  expect(position.next).toBe(121);
});

test("what is skipped is counted once, and a position that is behind skips nothing", () => {
  const position = new OutputPosition(10);
  expect([position.skipTo(15), position.skipTo(15), position.skipTo(3)]).toEqual([5, 0, 0]);
  expect(position.next).toBe(15);
});
