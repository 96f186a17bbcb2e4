import { Writable } from "node:stream";
import { expect, test } from "@jest/globals";
import { WriteTurn } from "./write-turn.ts";

/** A stream that says what it was made to write together. */
function newStream() {
  const writes: string[][] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      writes.push([chunk]);
      done();
    },
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => String(chunk)));
      done();
    },
  });
  return { stream, writes };
}

function say(turn: WriteTurn, stream: Writable, text: string): void {
  turn.join(stream);
  stream.write(text);
}

test("what is sent in one turn is written together at its end, for each stream", () => {
  const turn = new WriteTurn();
  const [one, two] = [newStream(), newStream()];
  turn.run(() => {
    say(turn, one.stream, "a");
    turn.run(() => say(turn, two.stream, "x"));
    say(turn, one.stream, "b");
    expect([one.writes, two.writes]).toEqual([[], []]);
  });
  expect([one.writes, two.writes]).toEqual([[["a", "b"]], [["x"]]]);
});

test("outside a turn nothing waits", () => {
  const turn = new WriteTurn();
  const { stream, writes } = newStream();
  say(turn, stream, "a");
  expect(writes).toEqual([["a"]]);
  let done = false;
  turn.after(() => {
    done = true;
  });
  expect(done).toBe(true);
});

test("what need not be first is done after the writes of the whole turn, in order", () => {
  const turn = new WriteTurn();
  const { stream, writes } = newStream();
  const seen: [string, number][] = [];
  turn.run(() => {
    turn.run(() => turn.after(() => seen.push(["first", writes.length])));
    say(turn, stream, "a");
    turn.after(() => seen.push(["second", writes.length]));
    expect(seen).toEqual([]);
  });
  expect(seen).toEqual([
    ["first", 1],
    ["second", 1],
  ]);
});

test("a turn that fails writes what was sent until then, and the next one begins anew", () => {
  const turn = new WriteTurn();
  const { stream, writes } = newStream();
  expect(() =>
    turn.run(() => {
      say(turn, stream, "a");
      throw new Error("no");
    }),
  ).toThrow("no");
  turn.run(() => say(turn, stream, "b"));
  expect(writes).toEqual([["a"], ["b"]]);
});
