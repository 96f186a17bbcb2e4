/** A pair whose halves both live and lose each other: only the record can say who goes on. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses, type TestRunner } from "./pair-processes.ts";
import { PairProxy } from "./pair-proxy.ts";

jest.setTimeout(180_000);
const superseded = 6;

let pair: PairProcesses;
let console: ConsoleJudge;
let proxies: PairProxy[];

beforeEach(async () => {
  pair = await PairProcesses.create();
  proxies = [];
  for (const place of pair.places) {
    const proxy = await PairProxy.before(place.peer);
    proxies.push(proxy);
    place.peer = proxy.port;
  }
  console = new ConsoleJudge(pair);
});

afterEach(async () => {
  console.close();
  await pair.stop();
  await Promise.all(proxies.map((proxy) => proxy.close()));
});

test("halves that lose sight of each other race for the record, and exactly one goes on", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  for (const proxy of proxies) proxy.cut();
  const survivor = await expectOneSurvivor(primary, backup);
  for (const proxy of proxies) proxy.heal();
  const lost = survivor === primary ? backup : primary;
  await pair.restart(survivor, lost.place);
  await console.expectWhole();
});

test("with an arbiter that answers both requests late, still exactly one goes on", async () => {
  const { primary, backup } = await pair.startPair();
  console.startTyping();
  await console.untilMore();
  pair.arbiter.freeze();
  for (const proxy of proxies) proxy.cut();
  await pair.until("both give the other up", () => {
    const given = primary.process.logged("followerLost").length > 0;
    return given && backup.process.logged("suspected").length > 0;
  });
  await pair.until("neither gets an answer", () =>
    [primary, backup].every(({ process }) => /did not answer within/.test(process.stderr)),
  );
  pair.arbiter.thaw();
  await expectOneSurvivor(primary, backup);
  await console.expectWhole();
});

test("a connection that breaks is made again, and costs neither redundancy nor a byte", async () => {
  const { primary, backup } = await pair.startPair();
  const before = await pair.record();
  console.startTyping();
  for (let times = 0; times < 5; times++) {
    await console.untilMore();
    for (const proxy of proxies) proxy.reset();
  }
  await console.untilMore(10);
  await console.expectWhole();
  expect(await pair.record()).toEqual(before);
  expect(await pair.untilPaired(primary, backup)).toBe(primary);
});

/** One lives, as the record says; the other ended superseded. */
async function expectOneSurvivor(one: TestRunner, other: TestRunner): Promise<TestRunner> {
  await pair.until("one of the two ends", () => !one.process.isRunning || !other.process.isRunning);
  const [lost, survivor] = one.process.isRunning ? [other, one] : [one, other];
  expect(await lost.process.exitCode()).toBe(superseded);
  await pair.untilAlone(survivor);
  await console.untilMore();
  expect(await pair.record()).toMatchObject({ primary: survivor.nonce, backup: null });
  return survivor;
}
