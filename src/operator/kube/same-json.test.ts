import { expect, test } from "@jest/globals";
import { sameJson } from "./same-json.ts";

test.each<[string, unknown, unknown, boolean]>([
  ["fields in another order", { a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, true],
  ["a field that is undefined", { a: 1, b: undefined }, { a: 1 }, true],
  ["another value", { a: { b: 1 } }, { a: { b: 2 } }, false],
  ["a field more", { a: 1 }, { a: 1, b: null }, false],
  ["items in another order", [1, 2], [2, 1], false],
  ["an item more", [1], [1, 2], false],
  ["null and nothing at all", null, {}, false],
  ["a list and an object", [], {}, false],
])("%s", (_, a, b, same) => {
  expect(sameJson(a, b)).toBe(same);
  expect(sameJson(b, a)).toBe(same);
});
