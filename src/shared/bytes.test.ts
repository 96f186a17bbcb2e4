import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ByteReader, BytesError, ByteWriter, equalBytes } from "./bytes.ts";

test("every number up to 53 bits is read as it was written, in as few bytes as it needs", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(0xffff_ffff), (number, word) => {
      const writer = new ByteWriter(1);
      writer.varint(number);
      expect(writer.length).toBe(Math.max(1, Math.ceil(number.toString(2).length / 7)));
      writer.u32(word);
      const reader = new ByteReader(writer.finish());
      expect([reader.varint(), reader.u32(), reader.remaining]).toEqual([number, word, 0]);
    }),
  );
});

test.each([
  ["an empty string", [], "truncated"],
  ["a number that does not end", [0x80], "truncated"],
  ["a number with a needless byte", [0x81, 0x00], "number"],
  ["a number of 54 bits", [255, 255, 255, 255, 255, 255, 255, 127], "number"],
  ["a number that never ends", Array(20).fill(0x80), "number"],
])("%s is refused", (_, bytes, code) => {
  const reader = new ByteReader(Uint8Array.from(bytes));
  let refused: unknown;
  try {
    reader.varint();
  } catch (error) {
    refused = error instanceof BytesError ? error.code : error;
  }
  expect(refused).toBe(code);
});

test("a length beyond the end is refused before anything is allocated", () => {
  expect(() => new ByteReader(new Uint8Array(4)).bytes(2 ** 50)).toThrow(BytesError);
});

test("byte strings are equal when they hold the same bytes", () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
});
