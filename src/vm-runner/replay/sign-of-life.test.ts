import { expect, test } from "@jest/globals";
import { recorder } from "../../../test/executor-rig.ts";
import { signOfLifeMs } from "../../shared/limits.ts";

test("a sign of life never overtakes entries that wait in an open batch", async () => {
  const primary = await recorder().turns(50);
  for (let i = 0; i < 20; i++) {
    // The thread gets no CPU for a while, records an entry at once, and then rests.
    primary.nowUs += signOfLifeMs * 1000 + i * 100;
    await primary.turns(3);
  }
  let next = 0;
  for (const { first, count } of primary.batches) {
    expect(first).toBe(next);
    next += count;
  }
});
