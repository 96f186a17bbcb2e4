import { expect, test } from "@jest/globals";
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("each read moves the clock by half a microsecond from the entry's time", () => {
  const clock = new VirtualClock();
  clock.set(2_000);
  expect([clock.readMs(), clock.readMs(), clock.readMs()]).toEqual([2, 2.0005, 2.001]);
});

test("the next entry's time, at or after the end, is not below any read before", () => {
  const clock = new VirtualClock();
  clock.set(1_000);
  let last = 0;
  for (let i = 0; i < 7; i++) last = clock.readMs();
  clock.set(clock.endUs);
  expect(clock.timeUs).toBe(1_004);
  expect(clock.readMs()).toBeGreaterThanOrEqual(last);
});

test("the date is the wall clock's base plus whole milliseconds, and reading it moves nothing", () => {
  const clock = new VirtualClock();
  clock.setWallClock(1_800_000_000_000);
  clock.set(2_999);
  expect([clock.dateMs(), clock.dateMs()]).toEqual([1_800_000_000_002, 1_800_000_000_002]);
  expect(clock.endUs).toBe(2_999);
});

test("a clock restored from a snapshot goes on with the same reads", () => {
  const clock = new VirtualClock();
  clock.set(10);
  clock.readMs();
  const writer = new ByteWriter();
  clock.save(writer);
  const restored = new VirtualClock();
  restored.restore(new ByteReader(writer.finish()));
  expect(restored.readMs()).toBe(clock.readMs());
});
