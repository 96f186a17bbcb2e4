import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { RateLimiter } from "./rate-limiter.ts";

test("a burst goes at once, then each has its turn", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 });
  expect(["a", "b", "c", "d", "e"].map((who) => limiter.ask(who, 0))).toEqual([0, 0, 0, 100, 200]);
  expect(limiter.waiting).toBe(2);
});

test("who asks again keeps its place, and uses it once", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 1 });
  expect(limiter.ask("a", 0)).toBe(0);
  expect(limiter.ask("b", 0)).toBe(100);
  expect(limiter.ask("b", 40)).toBe(60);
  expect(limiter.ask("c", 40)).toBe(160);
  expect(limiter.ask("b", 100)).toBe(0);
  expect(limiter.ask("b", 100)).toBe(200);
});

test("a place that nobody comes for is given up", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 1 });
  limiter.ask("a", 0);
  expect(limiter.ask("b", 0)).toBe(100);
  expect(limiter.ask("c", 20_000)).toBe(0);
  expect(limiter.waiting).toBe(0);
});

test("whoever asks when, no more go than the limit says", () => {
  const asks = fc.array(fc.record({ who: fc.nat(20), afterMs: fc.nat(300) }), { maxLength: 200 });
  fc.assert(
    fc.property(asks, (all) => {
      const limiter = new RateLimiter({ perSecond: 20, burst: 5 });
      let nowMs = 0;
      let went = 0;
      for (const { who, afterMs } of all) {
        nowMs += afterMs;
        if (limiter.ask(String(who), nowMs) === 0) went += 1;
        expect(went).toBeLessThanOrEqual(5 + nowMs / 50);
      }
    }),
  );
});
