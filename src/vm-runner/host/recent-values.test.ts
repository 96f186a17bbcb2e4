import { expect, test } from "@jest/globals";
import { RecentValues } from "./recent-values.ts";

test("quantiles are of the last values only", () => {
  const values = new RecentValues();
  expect(values.quantiles()).toEqual({ p50: 0, p99: 0, max: 0 });
  for (let i = 0; i < 10_000; i++) values.add(1_000_000);
  for (let i = 1; i <= 2_048; i++) values.add(i);
  expect(values.quantiles()).toEqual({ p50: 1_024, p99: 2_028, max: 2_048 });
  values.clear();
  values.add(7);
  expect(values.quantiles()).toEqual({ p50: 7, p99: 7, max: 7 });
});
