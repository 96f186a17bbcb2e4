/** What a living pair does about garbage: it drops the connection, counts it, and goes on. */
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import type { ChannelMessage, Hello } from "../../src/vm-runner/logging-channel/messages.ts";
import { pack } from "../../src/vm-runner/wire/snapshot-compression.ts";
import { freePort } from "./pair-ports.ts";
import { PairProcesses, type TestRunner } from "./pair-processes.ts";
import { playPrimary, Stranger } from "./pair-stranger.ts";

jest.setTimeout(180_000);

let pair: PairProcesses;
let primary: TestRunner;
let backup: TestRunner;
let before: VmRecord;

beforeAll(async () => {
  pair = await PairProcesses.create();
  ({ primary, backup } = await pair.startPair());
  before = await pair.record();
});

/** Whatever was sent: the same two run on, as the same pair. */
afterEach(async () => {
  expect(await pair.untilPaired(primary, backup)).toBe(primary);
  expect(await pair.record()).toEqual(before);
});

afterAll(async () => {
  await pair.stop();
});

const huge = Buffer.from([0xff, 0xff, 0xff, 0x7f, 1]);
const garbage: readonly [string, (stranger: Stranger) => void][] = [
  ["random bytes", (s) => s.raw(Buffer.concat([huge, randomBytes(4_096)]))],
  ["a length of 2 GiB", (s) => s.raw(huge)],
  ["a frame of an unknown kind", (s) => s.framed(Buffer.from([0x30, 1, 2, 3]))],
  ["a hello that is cut short", (s) => s.framed(Buffer.from([1, 4, 0x76]))],
  ["a console message that is cut short", (s) => s.framed(Buffer.from([0x41, 1]))],
  ["an acknowledgement by nobody", (s) => s.say(ack(5))],
  ["a log by nobody", (s) => s.say({ kind: "batch", batch: batchOf(64) })],
  ["a message of 15 MiB of garbage", (s) => s.framed(randomBytes(15 * 1024 * 1024).fill(4, 0, 1))],
];

test.each(garbage)("%s: hung up on and counted, by both halves", async (_what, send) => {
  for (const runner of [primary, backup]) await expectDropped(runner, send);
});

test("a reader who types before it attaches is hung up on and counted", async () => {
  await expectDropped(primary, (stranger) => stranger.framed(Buffer.from([0x45, 0, 0x61])));
});

async function expectDropped(
  runner: TestRunner,
  send: (stranger: Stranger) => void,
): Promise<void> {
  const counted = await badMessages(runner);
  const stranger = await Stranger.dial(pair, runner.place.port);
  send(stranger);
  await pair.until("the runner hangs up", () => stranger.isClosed);
  await pair.until("it is counted", async () => (await badMessages(runner)) > counted);
}

test("another key is refused and counted", async () => {
  const counted = await badMessages(primary);
  const stranger = await Stranger.dial(pair, primary.place.port, randomBytes(32));
  await pair.until("the runner hangs up", () => stranger.isClosed);
  await pair.until("it is counted", async () => (await badMessages(primary)) > counted);
});

test("who says nothing, or half a frame, is hung up on", async () => {
  const strangers = [0, 3, 100].map(async (bytes) => {
    const stranger = await Stranger.dial(pair, primary.place.port);
    stranger.raw(Buffer.alloc(bytes));
    if (bytes > 4) stranger.close();
    return stranger;
  });
  for (const stranger of await Promise.all(strangers)) {
    await pair.until("the runner hangs up", () => stranger.isClosed);
  }
});

test("candidates of another VM or another version are told why, and change nothing", async () => {
  const hello: Hello = { kind: "hello", vm: pair.vm, nonce: "x", fingerprint: {}, received: -1 };
  const cases: [Hello, string, RegExp][] = [
    [{ ...hello, vm: "other" }, "another VM", /this runner is of VM .*, not other/],
    [hello, "another version", /differs: the primary has .*, the candidate has absent/],
  ];
  for (const [said, reason, message] of cases) {
    const stranger = await Stranger.dial(pair, primary.place.port);
    stranger.say(said);
    await pair.until("the runner hangs up", () => stranger.isClosed);
    expect(stranger.heard).toEqual([
      { kind: "refuse", reason, message: expect.stringMatching(message) },
    ]);
  }
});

test("garbage on the heartbeat port is ignored", async () => {
  const socket = dgram.createSocket("udp4");
  const text = Buffer.from(`lockstep ${pair.vm} ${primary.nonce} 1 99999999`);
  const datagrams = [Buffer.alloc(0), randomBytes(1), randomBytes(32), randomBytes(1_200)];
  datagrams.push(Buffer.concat([text, randomBytes(32)]));
  for (const { port } of pair.places) {
    for (const datagram of datagrams) {
      await new Promise((resolve) => socket.send(datagram, port, "127.0.0.1", resolve));
    }
  }
  socket.close();
  const { step } = await pair.untilStatus("it answers", backup, () => true);
  await pair.untilStatus("the backup executes on", backup, (later) => later.step > step + 50);
});

test("/healthz, /readyz, /status and /metrics of both halves say what they are", async () => {
  for (const [runner, role] of [
    [primary, "primary"],
    [backup, "backup"],
  ] as const) {
    expect(await textOf(runner, "/healthz")).toEqual([200, "ok\n"]);
    expect(await textOf(runner, "/readyz")).toEqual([200, `${role}\n`]);
    expect(await runner.status()).toEqual({
      vm: pair.vm,
      name: "default",
      nonce: runner.nonce,
      pid: expect.any(Number),
      role,
      live: role === "primary",
      epoch: before.epoch,
      primary: primary.nonce,
      backup: backup.nonce,
      takeovers: 0,
      lastGoLive:
        role === "primary"
          ? { reason: "started", afterMs: expect.any(Number), agoMs: expect.any(Number) }
          : null,
      step: expect.any(Number),
      virtualMs: expect.any(Number),
      lagEntries: expect.any(Number),
      lagMs: expect.any(Number),
      recentLagMs: quantiles,
      logBytes: expect.any(Number),
      logEntries: expect.any(Number),
      cpuLimit: expect.any(Number),
      outputHoldMs: quantiles,
      network: {
        attached: false,
        ingressFrames: 0,
        ingressBytes: 0,
        egressFrames: 0,
        egressBytes: 0,
        ingressDropped: 0,
        egressDropped: 0,
        holdMs: quantiles,
      },
      transfers: {
        running: false,
        finished: role === "primary" ? 1 : 0,
        failed: 0,
        lastPauseMs: expect.any(Number),
        lastMs: expect.any(Number),
        lastBytes: expect.any(Number),
      },
      divergences: 0,
      badMessages: expect.any(Number),
    });
    const [status, metrics] = await textOf(runner, "/metrics");
    expect(status).toBe(200);
    expect(metrics).toContain(`lockstep_role{role="${role}"} 1`);
    expect(metrics).toContain(`lockstep_epoch ${before.epoch}`);
    for (const name of metricNames)
      expect(metrics).toMatch(new RegExp(`^lockstep_${name}[ {]`, "m"));
    expect(await textOf(runner, "/nothing-here")).toMatchObject([404, expect.any(String)]);
  }
});

test("a candidate whose primary talks garbage hangs up and tries again, unharmed", async () => {
  const { candidate, dialled, close } = await candidateOfMine();
  try {
    for (const [tries, lines] of (await garbageOfPrimary()).entries()) {
      const mine = await pair.until(`it dials, time ${tries}`, () => dialled[tries] ?? null);
      await pair.until("it says hello", () => mine.heard.length > 0);
      for (const line of lines) line(mine);
      await pair.until(`it hangs up after garbage ${tries}`, () => mine.isClosed);
    }
    expect(await badMessages(candidate)).toBeGreaterThanOrEqual(3);
    await pair.untilRole("candidate", candidate);
  } finally {
    close();
    await candidate.process.kill();
  }
});

test("a candidate with our version that breaks the protocol is dropped; the next one is paired", async () => {
  const { candidate, dialled, close } = await candidateOfMine();
  const mine = await pair.until("it dials", () => dialled[0] ?? null);
  const hello = await pair.until("it says hello", () => mine.heard[0] ?? null);
  close();
  await Promise.all([candidate.process.kill(), backup.process.kill()]);
  await pair.untilAlone(primary);
  const counted = await badMessages(primary);
  const stranger = await Stranger.dial(pair, primary.place.port);
  stranger.say(hello);
  await pair.until("it is welcomed", () => stranger.heard.length > 0);
  expect(stranger.heard[0]).toMatchObject({ kind: "welcome", nonce: primary.nonce });
  stranger.say(ack(1_000_000_000));
  await pair.until("the runner hangs up", () => stranger.isClosed);
  expect(await badMessages(primary)).toBeGreaterThan(counted);
  backup = await pair.restart(primary, backup.place);
  before = await pair.record();
});

/** A third runner, whose primary the test plays; `dialled`: its connections, in order. */
async function candidateOfMine() {
  const place = { name: "C", port: await freePort(), http: await freePort() };
  const peer = await freePort();
  const dialled: Stranger[] = [];
  const { close } = await playPrimary(pair, peer, (stranger) => dialled.push(stranger));
  return { candidate: pair.startRunner({ ...place, peer }), dialled, close };
}

/** What no primary says, in what it says after a hello. */
async function garbageOfPrimary(): Promise<((stranger: Stranger) => void)[][]> {
  const welcome: ChannelMessage = { kind: "welcome", nonce: primary.nonce, life: 1, next: 5 };
  const begin = (memoryBytes: number): ChannelMessage => {
    return { kind: "snapshotBegin", id: 1, index: 5, memoryBytes, devices: randomBytes(64) };
  };
  const chunk = (offset: number, bytes: Uint8Array): ChannelMessage => {
    return { kind: "snapshotChunk", id: 1, offset, bytes };
  };
  const packed = await pack(randomBytes(65_536));
  const end: ChannelMessage = { kind: "snapshotEnd", id: 1, hash: randomBytes(32) };
  const memory = 64 * 1024 * 1024;
  const say = (...messages: readonly ChannelMessage[]) =>
    messages.map((message) => (stranger: Stranger) => stranger.say(message));
  return [
    say(welcome, { kind: "batch", batch: batchOf(64) }),
    [(stranger) => stranger.raw(Buffer.concat([huge, randomBytes(64)]))],
    say(welcome, begin(memory), chunk(0, randomBytes(1_000))),
    say(welcome, begin(2 ** 45)),
    say(welcome, begin(memory), chunk(memory, packed)),
    say(welcome, begin(memory), chunk(0, packed), end),
  ];
}

const metricNames = [
  "epoch",
  "takeovers_total",
  "steps_total",
  "virtual_time_seconds_total",
  "log_bytes_total",
  "log_entries_total",
  "lag_target_seconds",
  "divergences_total",
  "bad_messages_total",
  "output_hold_seconds_bucket",
  "acknowledgement_seconds_bucket",
  "state_transfer_seconds_bucket",
  "state_transfer_pause_seconds_bucket",
  "state_transfer_bytes_total",
];
const quantiles = {
  p50: expect.any(Number),
  p99: expect.any(Number),
  max: expect.any(Number),
};

async function badMessages(runner: TestRunner): Promise<number> {
  const { badMessages: count } = await pair.untilStatus("it answers", runner, () => true);
  return count;
}

async function textOf(runner: TestRunner, where: string): Promise<[number, string]> {
  const answer = await runner.get(where);
  return [answer.status, await answer.text()];
}

function ack(received: number) {
  return { kind: "ack", received, executed: received, executedUs: 0 } as const;
}

function batchOf(bytes: number) {
  return { first: 0, count: 1, timeUs: 1, bytes: randomBytes(bytes) };
}
