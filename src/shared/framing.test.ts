import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { FrameReader, FramingError, frame } from "./framing.ts";

test("messages come out whole however the stream was cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 17 })), (sent, cuts) => {
      const stream = Uint8Array.from(sent.flatMap((message) => [...frame(message)]));
      const reader = new FrameReader(50);
      const received: Uint8Array[] = [];
      let at = 0;
      for (const length of [...cuts, stream.length]) {
        received.push(...reader.push(stream.subarray(at, at + length)));
        at += length;
      }
      expect(received.map((m) => [...m])).toEqual(sent.map((m) => [...m]));
    }),
  );
});

test("a message longer than the bound is refused as soon as its length is known", () => {
  const reader = new FrameReader(10);
  expect(() => reader.push(Uint8Array.of(11, 0, 0, 0))).toThrow(FramingError);
});
