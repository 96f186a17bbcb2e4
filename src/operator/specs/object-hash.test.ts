import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { hashOf } from "./object-hash.ts";

test("a hash is 16 digits, and stays what it was in earlier versions", () => {
  // With another hash every object of every machine would be applied anew at an upgrade.
  expect(hashOf({ kind: "Service", ports: [80, "é", null, true] })).toBe("e7037d91d2fcb98e");
});

test("the order of keys does not count, at any depth; the order of a list does", () => {
  expect(hashOf({ a: 1, b: { c: [{ d: 2, e: 3 }] } })).toBe(
    hashOf({ b: { c: [{ e: 3, d: 2 }] }, a: 1 }),
  );
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
});

test("what is undefined is as if it were not there, as in the JSON that is sent", () => {
  expect(hashOf({ a: 1, b: undefined })).toBe(hashOf({ a: 1 }));
});

test("values that differ have hashes that differ in both halves", () => {
  const halves = (value: unknown) => [hashOf(value).slice(0, 8), hashOf(value).slice(8)];
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), (value, more) => {
      const [left, right] = halves({ value });
      const [otherLeft, otherRight] = halves({ value, more });
      expect(left).not.toBe(otherLeft);
      expect(right).not.toBe(otherRight);
    }),
  );
});

test("no two of a large fleet's objects are taken for each other", () => {
  const count = 50_000;
  const hashes = new Set(Array.from({ length: count }, (_, n) => hashOf({ name: `vm-${n}` })));
  expect(hashes.size).toBe(count);
});
