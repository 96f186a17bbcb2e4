/** The default guest, a real Linux, over a killed and a frozen primary. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses } from "./pair-processes.ts";

jest.setTimeout(240_000);
const superseded = 6;

let pair: PairProcesses;
let console: ConsoleJudge;

beforeEach(async () => {
  pair = await PairProcesses.create({ guest: "default", memoryMiB: 128 });
  console = new ConsoleJudge(pair);
});

afterEach(async () => {
  console.close();
  await pair.stop();
});

test("Linux counts on over a killed and a frozen primary, and computes the right sum", async () => {
  const { primary, backup } = await pair.startPair();
  console.type("seq 1 200000 | md5sum; counter\n");
  await console.untilShown(/counter 20\r\n/);
  await primary.process.kill();
  await pair.untilAlone(backup);
  await console.untilMore(20);
  const third = await pair.restart(backup, primary.place);
  await console.untilMore(20);
  backup.process.freeze();
  await pair.untilAlone(third);
  await console.untilMore(20);
  backup.process.thaw();
  expect(await backup.process.exitCode()).toBe(superseded);
  expect(console.problems).toEqual([]);
  const counted = [...console.shown.matchAll(/counter (\d+)\r\n/g)].map((found) =>
    Number(found[1]),
  );
  expect(counted).toEqual(counted.map((_, index) => index + 1));
  // What `seq 1 200000 | md5sum` prints on any other computer.
  expect(console.shown).toContain("0e10426a1d5bddffcef02f1345787128");
  expect(await pair.record()).toMatchObject({ primary: third.nonce, takeovers: 2 });
});
