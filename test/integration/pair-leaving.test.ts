/** Halves that leave on purpose: hand-over, and power off. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses, type TestRunner } from "./pair-processes.ts";

jest.setTimeout(180_000);

let pair: PairProcesses;
let console: ConsoleJudge;

beforeEach(async () => {
  pair = await PairProcesses.create();
  console = new ConsoleJudge(pair);
});

afterEach(async () => {
  console.close();
  await pair.stop();
});

test("SIGTERM of a primary hands over: nothing is lost, and it is no take-over", async () => {
  let { primary, backup } = await pair.startPair();
  console.startTyping();
  for (let times = 0; times < 2; times++) {
    await console.untilMore();
    primary.process.terminate();
    expect(await primary.process.exitCode()).toBe(0);
    expect(await pair.untilAlone(backup)).toMatchObject({ primary: backup.nonce, takeovers: 0 });
    [primary, backup] = [backup, await pair.restart(backup, primary.place)];
  }
  await console.expectWhole();
});

test("SIGTERM of a backup leaves the primary alone; SIGTERM of both switches the VM off", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  backup.process.terminate();
  expect(await backup.process.exitCode()).toBe(0);
  expect(await pair.untilAlone(primary)).toMatchObject({ primary: primary.nonce, takeovers: 0 });
  await console.expectWhole();
  primary.process.terminate();
  expect(await primary.process.exitCode()).toBe(exitCodes.leftAlone);
  expect(await pair.record()).toMatchObject({ primary: null, backup: null, takeovers: 0 });
});

test("POST /poweroff switches the VM off for both halves, and for whoever comes later", async () => {
  const { primary, backup } = await pair.startPair();
  await console.untilMore();
  const refused = await backup.get("/poweroff", "POST");
  expect(refused.status).toBe(409);
  expect(await refused.json()).toEqual({ error: "this runner is backup, not the primary" });
  const accepted = await primary.get("/poweroff", "POST");
  expect(accepted.status).toBe(202);
  await expectSwitchedOff(primary, backup);
  const late = pair.startRunner(primary.place);
  await expectSwitchedOff(late);
});

test("a guest that switches itself off ends both halves, with all that it said", async () => {
  const { primary, backup } = await pair.startPair();
  await console.untilMore();
  console.type("farewellq");
  await expectSwitchedOff(primary, backup);
  expect(console.problems).toEqual([]);
  expect(console.shown.replaceAll(/tick \d+\n/g, "")).toMatch(/FAREWELLQ\n$/);
});

async function expectSwitchedOff(...runners: readonly TestRunner[]): Promise<void> {
  for (const { process } of runners) expect(await process.exitCode()).toBe(0);
  expect(await pair.record()).toMatchObject({ primary: null, backup: null, takeovers: 0 });
}
