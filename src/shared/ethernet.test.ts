import { expect, test } from "@jest/globals";
import { isFrame } from "./ethernet.ts";
import { frameBytesMax, frameBytesMin } from "./limits.ts";

test.each([
  [frameBytesMin - 1, false],
  [frameBytesMin, true],
  [frameBytesMax, true],
  [frameBytesMax + 1, false],
])("%i bytes: a frame is %s", (length, is) => {
  expect(isFrame(new Uint8Array(length))).toBe(is);
});
