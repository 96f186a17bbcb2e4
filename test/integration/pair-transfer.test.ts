/** State transfers that break off: the only life is never risked, and the next attempt works. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses, type TestRunner } from "./pair-processes.ts";
import { PairProxy } from "./pair-proxy.ts";

jest.setTimeout(180_000);
const superseded = 6;

let pair: PairProcesses;
let console: ConsoleJudge;
let proxy: PairProxy;
let primary: TestRunner;
let transferBytes: number | null = null;

/** A primary alone, and a proxy through which candidates reach it. */
beforeEach(async () => {
  pair = await PairProcesses.create();
  proxy = await PairProxy.before(pair.places[0].port);
  pair.places[1].peer = proxy.port;
  console = new ConsoleJudge(pair);
  primary = pair.startRunner(pair.places[0]);
  await pair.untilAlone(primary);
});

afterEach(async () => {
  console.close();
  await pair.stop();
  await proxy.close();
});

test("a connection that breaks at any part of the transfer leaves the primary unharmed", async () => {
  console.startTyping();
  const bytes = await bytesOfTransfer();
  const candidate = pair.startRunner(pair.places[1]);
  for (const part of [0.01, 0.3, 0.6, 0.9]) {
    await proxy.cutAfter(Math.round(part * bytes));
    await console.untilMore();
    proxy.heal();
  }
  expect(await pair.untilPaired(primary, candidate)).toBe(primary);
  const { transfers } = (await primary.status()) ?? {};
  expect(transfers?.failed).toBeGreaterThanOrEqual(3);
  await console.expectWhole();
});

test("a candidate killed during its transfer is replaced, whenever it died", async () => {
  console.startTyping();
  const bytes = await bytesOfTransfer();
  const parts = [0.05, 0.5, 0.95];
  for (const part of parts) {
    const candidate = pair.startRunner(pair.places[1]);
    await proxy.cutAfter(Math.round(part * bytes));
    await candidate.process.kill();
    proxy.heal();
  }
  await pair.restart(primary, pair.places[1]);
  await console.expectWhole();
  const status = await primary.status();
  expect(status).toMatchObject({ primary: primary.nonce, takeovers: 0 });
  expect(status?.transfers.failed).toBe(parts.length);
});

test("a candidate whose primary is killed during the transfer never lives", async () => {
  const before = await pair.record();
  const candidate = pair.startRunner(pair.places[1]);
  await proxy.cutAfter(100_000);
  await pair.untilRole("joining", candidate);
  await primary.process.kill();
  proxy.heal();
  const dials = () => candidate.process.logged("dial failed").length;
  await pair.until("it looks for its primary again and again", () => dials() > 5);
  expect(await candidate.status()).toMatchObject({ role: "candidate", live: false });
  expect(await pair.record()).toEqual(before);
});

test("a primary killed with its pair request under way is replaced only if that was granted", async () => {
  console.startTyping();
  const candidate = pair.startRunner(pair.places[1]);
  await pair.untilRole("joining", candidate);
  pair.arbiter.freeze();
  await pair.until("the transfer is finished", () => {
    return primary.process.logged("transferFinished").length > 0;
  });
  await primary.process.kill();
  pair.arbiter.thaw();
  const end = await pair.until("it lives or ends", async () => {
    if (!candidate.process.isRunning) return "ended";
    return (await candidate.status())?.live ? "lives" : null;
  });
  const record = await pair.record();
  if (end === "lives") {
    expect(record).toMatchObject({ primary: candidate.nonce, takeovers: 1 });
    await console.expectWhole();
  } else {
    expect(await candidate.process.exitCode()).toBe(superseded);
    expect(record.takeovers).toBe(0);
  }
});

/** How much a whole transfer sends, measured once; the primary is alone again afterwards. */
async function bytesOfTransfer(): Promise<number> {
  if (transferBytes !== null) return transferBytes;
  const before = proxy.sent;
  const candidate = pair.startRunner(pair.places[1]);
  await pair.untilStatus("a transfer is finished", primary, (s) => s.transfers.finished === 1);
  transferBytes = proxy.sent - before;
  await candidate.process.kill();
  await pair.untilAlone(primary);
  return transferBytes;
}
