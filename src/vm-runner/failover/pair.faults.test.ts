import { expect, test } from "@jest/globals";
import { type Ending, runWithDeaths, runWithFaults } from "../../../test/pair-faults.ts";
import { coverage } from "../../../test/pair-world.ts";

/** To repeat one run: SEED=17 RUNS=1. */
const runs = Number(process.env["RUNS"] ?? 60);
const first = Number(process.env["SEED"] ?? 1);
const boundMs = 300_000;

async function endings(deadly: boolean): Promise<Record<Ending, number>> {
  const counts: Record<Ending, number> = { "goes on": 0, "switched off": 0, lost: 0 };
  for (let seed = first; seed < first + runs; seed++) counts[await runWithFaults(seed, deadly)]++;
  return counts;
}

test(
  "freezes, wedged guests, cut connections, partitions and a lossy record never cost the VM",
  async () => {
    expect(await endings(false)).toEqual({ "goes on": runs, "switched off": 0, lost: 0 });
  },
  boundMs,
);

test(
  "one death at a time, at any moment of a complete pair, never costs the VM",
  async () => {
    for (let seed = first; seed < first + runs; seed++) await runWithDeaths(seed);
  },
  boundMs,
);

test(
  "whatever dies or leaves at whatever moment, nothing is seen that a later life does not know",
  async () => {
    const counts = await endings(true);
    expect(counts["goes on"]).toBeGreaterThan(0);
  },
  boundMs,
);

/** Fewer runs, to repeat one, need not come everywhere. */
(runs < 60 ? test.skip : test)("the runs above come to the rare places, too", () => {
  expect([...coverage]).toEqual(
    expect.arrayContaining([
      "candidate: executor restored",
      "candidate: noAnswer",
      "follower: message refuse",
      "follower: recordUnreadable",
      "primary: executor paused",
      "primary: executor poweredOff",
      "primary: message bye",
      "primary: noAnswer",
      "takingOver: executor output",
      "takingOver: noAnswer",
    ]),
  );
});
