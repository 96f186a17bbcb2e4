import { expect, test } from "@jest/globals";
import { CpuShare } from "./cpu-share.ts";

/** Share of time used by steps of `stepUs` that run whenever they may, over ten seconds. */
function used(share: CpuShare, stepUs: number): number {
  let ranUs = 0;
  let nowUs = 0;
  while (nowUs < 10_000_000) {
    const waitUs = share.waitUs(nowUs);
    nowUs += waitUs;
    if (waitUs > 0) continue;
    nowUs += stepUs;
    ranUs += stepUs;
    share.spend(stepUs);
  }
  return ranUs / nowUs;
}

test.each([0.05, 0.25, 0.5, 0.9])("steps get their share of time: %s", (wanted) => {
  const share = new CpuShare();
  share.share = wanted;
  expect(used(share, 300)).toBeGreaterThan(wanted * 0.95);
  expect(used(share, 300)).toBeLessThan(wanted * 1.05);
});

test("without a limit no step waits", () => {
  expect(used(new CpuShare(), 5_000)).toBe(1);
});

test("time not used is not saved up: after a rest the burst is shorter than the window", () => {
  const share = new CpuShare();
  share.share = 0.5;
  share.waitUs(0);
  expect(share.waitUs(60_000_000)).toBe(0);
  share.spend(10_000);
  expect(share.waitUs(60_000_000)).toBeGreaterThan(0);
});
