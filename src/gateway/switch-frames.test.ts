import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { SwitchFrameReader, switchFrame, switchFrameBytesMax } from "./switch-frames.ts";

test("a length is two bytes, the low one first", () => {
  expect([...switchFrame(new Uint8Array(0x102)).subarray(0, 2)]).toEqual([2, 1]);
});

test("frames come out as they went in, however the stream is cut", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(frames, cuts, (given, sizes) => {
      const stream = given.flatMap((frame) => [...switchFrame(frame)]);
      const reader = new SwitchFrameReader();
      const found: number[][] = [];
      let at = 0;
      for (let i = 0; at < stream.length; i++) {
        const end = at + (sizes[i % sizes.length] ?? 1);
        const pieces = reader.push(Uint8Array.from(stream.slice(at, end)));
        found.push(...pieces.map((frame) => [...frame]));
        at = end;
      }
      expect(found).toEqual(given.map((frame) => [...frame]));
    }),
  );
});

test("the longest frame that has a length is read", () => {
  const frame = new Uint8Array(switchFrameBytesMax).fill(7);
  expect(new SwitchFrameReader().push(switchFrame(frame))).toEqual([frame]);
});
