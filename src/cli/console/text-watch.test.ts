import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { TextWatch } from "./text-watch.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a text is seen however the console's bytes are split, and not before its last byte", () => {
  const printed = "boot aab aabaab login: ";
  const cuts = fc.array(fc.nat(printed.length - 1)).map((at) => [0, ...at.sort((a, b) => a - b)]);
  fc.assert(
    fc.property(cuts, (from) => {
      const watch = new TextWatch(bytes("aabaab"));
      for (const [i, at] of from.entries()) {
        watch.push(bytes(printed.slice(at, from[i + 1])));
        expect(watch.seen).toBe((from[i + 1] ?? printed.length) >= printed.indexOf(" login"));
      }
    }),
  );
});

test("a text of several bytes a character is found by its bytes", () => {
  const watch = new TextWatch(bytes("größer"));
  for (const byte of bytes("ist größer")) watch.push(Uint8Array.of(byte));
  expect(watch.seen).toBe(true);
});

test("what was printed before a gap and after it does not make a text together", () => {
  const watch = new TextWatch(bytes("ready"));
  watch.push(bytes("rea"));
  watch.interrupt();
  watch.push(bytes("dy"));
  expect(watch.seen).toBe(false);
  watch.push(bytes(" ready"));
  expect(watch.seen).toBe(true);
});
