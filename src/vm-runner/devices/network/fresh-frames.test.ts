import { expect, test } from "@jest/globals";
import { freshFrames } from "./fresh-frames.ts";

const frame = (number: number) => Uint8Array.of(number);
const input = (gateway: number, first: number, count: number) => {
  const frames = Array.from({ length: count }, (_, i) => frame(first + i));
  return { kind: "ingress", gateway, first, frames } as const;
};

test.each([
  ["nothing yet: all are new, wherever they begin", null, 0, [5, 6, 7], 8],
  [
    "another gateway's: all are new, though their numbers are lower",
    { gateway: 2, next: 90 },
    0,
    [5, 6, 7],
    8,
  ],
  ["all before them", { gateway: 1, next: 5 }, 0, [5, 6, 7], 8],
  ["some of them: the others are new", { gateway: 1, next: 7 }, 2, [7], 8],
  ["all of them: none is new", { gateway: 1, next: 8 }, 3, [], 8],
  ["more than them: none is new, and it stays there", { gateway: 1, next: 20 }, 3, [], 20],
  [
    "less than all before them: there is a gap, and all are new",
    { gateway: 1, next: 2 },
    0,
    [5, 6, 7],
    8,
  ],
])("of frames 5 to 7 a card has %s", (_, position, repeated, fresh, next) => {
  expect(freshFrames(position, input(1, 5, 3))).toEqual({
    frames: fresh.map(frame),
    repeated,
    position: { gateway: 1, next },
  });
});
