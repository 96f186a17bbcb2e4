import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  ingressAgeMsMax,
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
} from "../shared/limits.ts";
import { IngressQueue } from "./ingress-queue.ts";

const anyBytesMax = 1_000_000;

test("frames are kept up to their bound in number, and up to their bound in bytes", () => {
  const small = new IngressQueue();
  for (let i = 0; i < ingressInFlightFramesMax; i++) expect(small.add(frame(14), 0)).toBe(true);
  expect(small.add(frame(14), 0)).toBe(false);
  const large = new IngressQueue();
  const count = Math.floor(ingressInFlightBytesMax / 1_500);
  for (let i = 0; i < count; i++) expect(large.add(frame(1_500), 0)).toBe(true);
  expect(large.add(frame(1_500), 0)).toBe(false);
  large.forgetBefore(1);
  expect(large.add(frame(1_500), 0)).toBe(true);
});

test("a frame is a copy: whoever gave it may write over it", () => {
  const queue = new IngressQueue();
  const given = frame(20, 1);
  queue.add(given, 0);
  given.fill(9);
  expect(queue.run(0, anyBytesMax, 0)?.frames).toEqual([frame(20, 1)]);
});

test("only what waited longer than the bound is forgotten", () => {
  const queue = new IngressQueue();
  for (const takenMs of [0, 1, 2]) queue.add(frame(14), takenMs);
  expect(queue.forgetOld(ingressAgeMsMax)).toBe(0);
  expect(queue.forgetOld(ingressAgeMsMax + 2)).toBe(2);
  expect([queue.first, queue.next]).toEqual([2, 3]);
  expect(queue.forgetOld(ingressAgeMsMax + 3)).toBe(1);
  expect(queue.bytes).toBe(0);
});

test("a run has as many frames as fit, and one at least", () => {
  const queue = new IngressQueue();
  for (let i = 0; i < 5; i++) queue.add(frame(100, i), 0);
  expect(queue.run(1, 320, 5)).toEqual({ first: 1, frames: [1, 2, 3].map((i) => frame(100, i)) });
  expect(queue.run(4, 1, 5)).toEqual({ first: 4, frames: [frame(100, 4)] });
  expect(queue.run(5, 1_000, 5)).toBeNull();
});

test("to confirm what was never taken is a defect of the caller", () => {
  expect(() => new IngressQueue().forgetBefore(1)).toThrow("frame 0 is not taken yet");
});

test("what is kept is the run of numbers between the confirmed ones and the next", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), bytes: fc.integer({ min: 14, max: 1_518 }) }),
    fc.record({
      kind: fc.constant("confirm" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ kind: fc.constant("age" as const), ms: fc.integer({ min: 0, max: 4_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new IngressQueue();
      let kept: { readonly number: number; readonly bytes: number; readonly ms: number }[] = [];
      let next = 0;
      let nowMs = 0;
      for (const one of steps) {
        if (one.kind === "age") {
          nowMs += one.ms;
          const old = kept.filter(({ ms }) => nowMs - ms > ingressAgeMsMax).length;
          expect(queue.forgetOld(nowMs)).toBe(old);
          kept = kept.slice(old);
        } else if (one.kind === "confirm") {
          const to = queue.first + Math.floor(one.share * (queue.next - queue.first));
          queue.forgetBefore(to);
          kept = kept.filter(({ number }) => number >= to);
        } else if (queue.add(frame(one.bytes, next % 256), nowMs)) {
          kept.push({ number: next++, bytes: one.bytes, ms: nowMs });
        }
        expect(queue.next).toBe(next);
        expect(queue.first).toBe(kept[0]?.number ?? next);
        expect(queue.bytes).toBe(kept.reduce((sum, { bytes }) => sum + bytes, 0));
        const run = queue.run(0, Number.MAX_SAFE_INTEGER, 0);
        expect(run?.frames.map((f) => [f.length, f[0]]) ?? []).toEqual(
          kept.map(({ bytes, number }) => [bytes, number % 256]),
        );
      }
    }),
  );
});

function frame(bytes: number, fill = 0): Uint8Array {
  return new Uint8Array(bytes).fill(fill);
}
