/** A pair of processes whose halves die, freeze and lose sight of each other. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses, type TestRunner } from "./pair-processes.ts";

jest.setTimeout(180_000);
const superseded = 6;

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

test("a killed primary is replaced without a lost, repeated or changed byte, again and again", async () => {
  let { primary, backup } = await pair.startPair();
  await console.untilMore();
  console.startTyping();
  for (let takeovers = 1; takeovers <= 2; takeovers++) {
    await console.untilMore();
    await primary.process.kill();
    const alone = await pair.untilAlone(backup);
    expect(alone).toMatchObject({ role: "primary", takeovers, primary: backup.nonce });
    const restarted = await pair.restart(backup, primary.place);
    [primary, backup] = [backup, restarted];
  }
  await console.expectWhole();
  expect(await pair.record()).toMatchObject({
    primary: primary.nonce,
    backup: backup.nonce,
    takeovers: 2,
  });
});

test("a primary whose backup is killed goes on alone and pairs with a restarted one", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  await backup.process.kill();
  await pair.untilAlone(primary);
  await console.untilMore();
  const restarted = await pair.restart(primary, backup.place);
  await console.expectWhole();
  expect(await pair.record()).toMatchObject({
    primary: primary.nonce,
    backup: restarted.nonce,
    takeovers: 0,
  });
});

test("a frozen primary is replaced; thawed, it ends superseded and shows nothing of its own", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  primary.process.freeze();
  await pair.untilAlone(backup);
  await console.untilMore();
  primary.process.thaw();
  expect(await primary.process.exitCode()).toBe(superseded);
  await pair.restart(backup, primary.place);
  await console.expectWhole();
  expect(await pair.record()).toMatchObject({ primary: backup.nonce, takeovers: 1 });
});

test("a frozen backup is given up; thawed, it ends superseded", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  backup.process.freeze();
  await pair.untilAlone(primary);
  await console.untilMore();
  backup.process.thaw();
  expect(await backup.process.exitCode()).toBe(superseded);
  await pair.restart(primary, backup.place);
  await console.expectWhole();
  expect(await pair.record()).toMatchObject({ primary: primary.nonce, takeovers: 0 });
});

test("with both halves frozen at once and thawed, exactly one life goes on", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  primary.process.freeze();
  backup.process.freeze();
  const silent = console.shown.length;
  primary.process.thaw();
  backup.process.thaw();
  await pair.until("the console goes on", () => console.shown.length > silent + 100);
  await expectOneLife(primary, backup);
  await console.expectWhole();
});

test("with both halves killed at once, a new runner waits and does not invent a life", async () => {
  const { primary, backup } = await pair.startPair();
  await console.untilMore();
  const before = await pair.record();
  await Promise.all([primary.process.kill(), backup.process.kill()]);
  const late = pair.startRunner(primary.place);
  const dials = () => late.process.logged("dial failed").length;
  await pair.until("it looks for the lost primary several times", () => dials() > 5);
  expect(await late.status()).toMatchObject({ role: "candidate", live: false });
  expect(await pair.record()).toEqual(before);
  late.process.terminate();
  expect(await late.process.exitCode()).toBe(0);
});

test("a take-over waits for an arbiter that is down, and goes on when it is back", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  await pair.arbiter.kill();
  await primary.process.kill();
  await pair.until(
    "the backup suspects the loss and cannot read the record",
    () =>
      backup.process.logged("suspected").length > 0 &&
      /the record cannot be read/.test(backup.process.stderr),
  );
  expect(await backup.status()).toMatchObject({ role: "backup", live: false });
  const shown = console.shown.length;
  await pair.startArbiter();
  await pair.untilAlone(backup);
  await pair.until("the console goes on", () => console.shown.length > shown);
  await console.expectWhole();
});

test("a pair runs on while the arbiter is down", async () => {
  const { primary, backup } = await pair.startPair();
  await pair.arbiter.kill();
  console.startTyping();
  await console.untilMore(10);
  expect(await primary.status()).toMatchObject({ role: "primary", backup: backup.nonce });
  await console.expectWhole();
});

/** One of the two was superseded or none: the record names who lives, and only that one is live. */
async function expectOneLife(...runners: readonly TestRunner[]): Promise<void> {
  await pair.until("one of them lives, as the record says", async () => {
    const { primary, backup } = await pair.record();
    const states = await Promise.all(runners.map((runner) => runner.status()));
    const named = states.every(
      (s) => s === null || s.nonce === (s.role === "primary" ? primary : backup),
    );
    return named && states.filter((s) => s?.live).length === 1;
  });
}
