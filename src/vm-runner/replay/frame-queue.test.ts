import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  frameBytesMax,
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
  ingressPerEntryBytesMax,
  ingressPerEntryFramesMax,
} from "../../shared/limits.ts";
import type { IngressPosition } from "../machine/machine.ts";
import { FrameQueue } from "./frame-queue.ts";
import type { IngressInput } from "./log-entry.ts";

/** Frames that carry their number, from `first` to before `end`. */
function frames(first: number, end: number, { gateway = 7, bytes = 60 } = {}): IngressInput {
  const list = Array.from({ length: end - first }, (_, i) => {
    const frame = new Uint8Array(bytes);
    new DataView(frame.buffer).setUint32(0, first + i);
    return frame;
  });
  return { kind: "ingress", gateway, first, frames: list };
}

/** Numbers of the frames of an entry: as the input counts them, if the frames say the same. */
function numbersOf(input: IngressInput | null): number[] {
  if (input === null) return [];
  return input.frames.map((frame, i) => {
    expect(new DataView(frame.buffer, frame.byteOffset).getUint32(0)).toBe(input.first + i);
    return input.first + i;
  });
}

/** All that the queue gives, entry by entry. */
function drained(queue: FrameQueue, room = 1_000): number[][] {
  const all: number[][] = [];
  while (!queue.isEmpty) all.push(numbersOf(queue.take(room)));
  return all;
}

test("every frame comes out once, in order, whatever room the card has and however often it comes", () => {
  const anyPieces = fc.array(
    fc.record({ back: fc.nat(12), count: fc.integer({ min: 1, max: 9 }) }),
  );
  fc.assert(
    fc.property(anyPieces, fc.array(fc.nat(6)), (pieces, rooms) => {
      const queue = new FrameQueue();
      const taken: number[] = [];
      let end = 0;
      for (const [i, { back, count }] of pieces.entries()) {
        const first = Math.max(0, end - back);
        queue.push(frames(first, first + count), null);
        end = Math.max(end, first + count);
        const room = rooms[i] ?? 0;
        const entry = numbersOf(queue.take(room));
        expect(entry.length).toBeLessThanOrEqual(room);
        taken.push(...entry);
      }
      taken.push(...drained(queue).flat());
      expect(taken).toEqual(Array.from({ length: end }, (_, number) => number));
    }),
  );
});

test.each<[string, IngressInput, IngressPosition | null, number[]]>([
  ["that the guest has not got", frames(4, 6), { gateway: 7, next: 4 }, [4, 5]],
  ["of which the guest has some", frames(2, 6), { gateway: 7, next: 4 }, [4, 5]],
  ["that the guest has", frames(2, 4), { gateway: 7, next: 4 }, []],
  ["after a gap", frames(9, 11), { gateway: 7, next: 4 }, [9, 10]],
  ["while the guest knows another gateway", frames(2, 4), { gateway: 8, next: 4 }, [2, 3]],
  ["before anybody knows what the guest has", frames(2, 4), null, [2, 3]],
])("frames %s", (_, input, given, expected) => {
  const queue = new FrameQueue();
  queue.push(input, given);
  expect(drained(queue).flat()).toEqual(expected);
});

test("a frame that is in an entry is not taken again, although its step has not run", () => {
  const queue = new FrameQueue();
  queue.push(frames(0, 4), null);
  expect(numbersOf(queue.take(2))).toEqual([0, 1]);
  queue.push(frames(0, 5), null);
  expect(drained(queue)).toEqual([[2, 3, 4]]);
});

test("another gateway's frames take the place of those that wait", () => {
  const queue = new FrameQueue();
  queue.push(frames(10, 14), null);
  queue.push(frames(0, 2, { gateway: 8 }), { gateway: 7, next: 10 });
  expect(queue.take(9)).toMatchObject({ gateway: 8, first: 0 });
  expect(queue.isEmpty).toBe(true);
});

test("numbers that do not follow one another go into entries of their own", () => {
  const queue = new FrameQueue();
  queue.push(frames(0, 2), null);
  queue.push(frames(3, 5), null);
  expect(drained(queue)).toEqual([
    [0, 1],
    [3, 4],
  ]);
});

test("an entry has no more frames and bytes than are allowed", () => {
  const small = new FrameQueue();
  small.push(frames(0, ingressPerEntryFramesMax + 3), null);
  expect(drained(small).map(({ length }) => length)).toEqual([ingressPerEntryFramesMax, 3]);
  const large = new FrameQueue();
  const fitting = Math.floor(ingressPerEntryBytesMax / frameBytesMax);
  large.push(frames(0, 2 * fitting + 3, { bytes: frameBytesMax }), null);
  expect(drained(large).map(({ length }) => length)).toEqual([fitting, fitting, 3]);
});

test.each([
  ["frames", 60, ingressInFlightFramesMax],
  ["bytes", frameBytesMax, Math.floor(ingressInFlightBytesMax / frameBytesMax)],
])(
  "as many %s wait as a gateway may have under way; what is above that is lost",
  (_, bytes, max) => {
    const queue = new FrameQueue();
    queue.push(frames(0, max + 2, { bytes }), null);
    expect(drained(queue).flat()).toHaveLength(max);
    queue.push(frames(max + 2, max + 3, { bytes }), null);
    expect(drained(queue)).toEqual([[max + 2]]);
  },
);

test("a frame that no network carries is lost, and those around it are not", () => {
  const queue = new FrameQueue();
  const { frames: good, ...input } = frames(0, 4);
  const bad = [good[0], new Uint8Array(13), new Uint8Array(frameBytesMax + 1), good[3]];
  queue.push({ ...input, frames: bad.flatMap((frame) => frame ?? []) }, null);
  expect(drained(queue)).toEqual([[0], [3]]);
  queue.push({ ...input, first: Number.MAX_SAFE_INTEGER, frames: good }, null);
  expect(queue.isEmpty).toBe(true);
});

test("a card without room takes nothing", () => {
  const queue = new FrameQueue();
  queue.push(frames(0, 2), null);
  expect(queue.take(0)).toBeNull();
  expect(drained(queue, 1)).toEqual([[0], [1]]);
});
