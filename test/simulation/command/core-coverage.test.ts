import { expect, test } from "@jest/globals";
import { coverageOf } from "./core-coverage.ts";

const source = `/** Says whether it is large. */
export function isLarge(value: number): boolean {
  if (value > 10) {
    return true;
  }
  return false;
}

export interface Shape {
  readonly size: number;
}
`;

function range(text: string, count: number) {
  const startOffset = source.indexOf(text);
  return { startOffset, endOffset: startOffset + text.length, count };
}

const whole = { startOffset: 0, endOffset: source.length, count: 1 };

test("a line counts when it is code, and is missed when its block never ran", () => {
  const block = range("{\n    return true;\n  }", 0);
  const covered = coverageOf("large.ts", source, [block, whole]);
  expect(covered).toEqual({ file: "large.ts", lines: 4, missed: [4] });
});

test("what ran inside of something that did not is not missed", () => {
  const all = { ...whole, count: 0 };
  expect(coverageOf("large.ts", source, [all]).missed).toEqual([2, 3, 4, 6]);
  expect(coverageOf("large.ts", source, [all, range("return false;", 1)]).missed).toEqual([
    2, 3, 4,
  ]);
});
