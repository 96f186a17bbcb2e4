import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Pace } from "./pace.ts";

/** A guest that computes in steps of `stepUs`, from real time `fromUs` to `toUs`. */
function compute(pace: Pace, fromUs: number, toUs: number, startUs: number, stepUs = 200) {
  let timeUs = startUs;
  for (let nowUs = fromUs; nowUs <= toUs; nowUs += stepUs) timeUs = pace.next(nowUs, timeUs, 0);
  return timeUs;
}

test("a computing guest's clock goes as fast as the real one", () => {
  const pace = new Pace();
  pace.start(1_000, 50);
  expect(compute(pace, 1_000, 1_001_000, 50)).toBe(1_000_050);
});

test("a sleeping guest wakes when real time says so", () => {
  const pace = new Pace();
  pace.start(0, 0);
  expect(pace.waitUs(0, 0, 250_000)).toBe(250_000);
  expect(pace.waitUs(100_000, 0, 250_000)).toBe(150_000);
  expect(pace.waitUs(250_000, 0, 250_000)).toBe(0);
  expect(pace.next(250_000, 0, 250_000)).toBe(250_000);
});

test("after a pause the clock catches up at most a quarter faster than real time", () => {
  const pace = new Pace();
  pace.start(0, 0);
  const late = pace.next(1_000_000, 0, 0);
  expect(late).toBeLessThanOrEqual(25_000);
  expect(compute(pace, 1_000_000, 2_000_000, late)).toBeLessThanOrEqual(1_250_000 + 25_000);
  expect(compute(pace, 2_000_000, 6_000_000, 1_275_000)).toBe(6_000_000);
});

test("a backup that goes live heads for the clock that the primary had reached", () => {
  const pace = new Pace();
  pace.observe(10_000, 510_000);
  pace.observe(20_000, 519_000);
  pace.start(1_020_000, 519_000);
  const timeUs = compute(pace, 1_020_000, 10_000_000, 519_000);
  expect(timeUs).toBeGreaterThan(10_495_000);
  expect(timeUs).toBeLessThanOrEqual(10_500_000);
});

test("a guest that its own clock reads carried ahead waits for real time", () => {
  const pace = new Pace();
  pace.start(0, 0);
  expect(pace.next(1_000, 20_000, 0)).toBe(20_000);
  expect(pace.waitUs(1_000, 20_000, 0)).toBe(19_000);
});

test("time never goes back and never below the machine's own, whatever real time does", () => {
  const gap = fc.record({ gapUs: fc.integer({ min: -1_000, max: 5_000_000 }), endUs: fc.nat(900) });
  fc.assert(
    fc.property(fc.array(gap), (gaps) => {
      const pace = new Pace();
      pace.start(0, 0);
      let nowUs = 0;
      let timeUs = 0;
      for (const { gapUs, endUs } of gaps) {
        nowUs += gapUs;
        const next = pace.next(nowUs, timeUs, 0);
        expect(next).toBeGreaterThanOrEqual(timeUs);
        timeUs = next + endUs;
      }
    }),
  );
});
