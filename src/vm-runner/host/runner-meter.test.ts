import { beforeEach, expect, test } from "@jest/globals";
import {
  batch,
  follower,
  followerOfMine,
  primary,
  record,
  stateOf,
} from "../../../test/pair-states.ts";
import type { PairReport, PairState } from "../failover/pair-types.ts";
import { emptyLog } from "../logging-channel/log-buffer.ts";
import { RunnerMeter } from "./runner-meter.ts";

const network = {
  ...{ attached: true, ingressFrames: 1, ingressBytes: 100, egressFrames: 2, egressBytes: 200 },
  ...{ ingressDropped: 3, egressDropped: 4 },
};
const alone = stateOf(primary(), record(1, "me"));
const backup = stateOf(follower(), record(2, "peer", "me"));
const mine = followerOfMine({ kind: "paired" }, { executed: 7, executedUs: 650_000 });
const paired = stateOf(
  primary({ follower: mine, log: emptyLog(10), timeUs: 900_000, cpuLimit: 0.5 }),
  { ...record(2, "me", "peer"), takeovers: 3 },
);

let state: PairState;
let meter: RunnerMeter;
beforeEach(() => {
  state = paired;
  meter = new RunnerMeter(
    () => state,
    () => network,
  );
});

/** What one metric says, by its labels as Prometheus reads them. */
async function read(name: string): Promise<Record<string, number>> {
  const lines = (await meter.registry.metrics()).split("\n");
  const own = lines.flatMap((line) => {
    const match = new RegExp(`^lockstep_${name}(\\{.*\\})? (\\S+)$`).exec(line);
    return match === null ? [] : [[match[1] ?? "", Number(match[2])]];
  });
  return Object.fromEntries(own);
}

test.each([
  ["execution_lag_seconds", 0.25],
  ["execution_lag_entries", 2],
  ["cpu_limit_ratio", 0.5],
  ["fault_tolerant", 1],
  ["takeovers_total", 3],
  ["epoch", 2],
  ["live", 1],
])("the primary of a pair tells %s", async (name, value) => {
  expect(await read(name)).toEqual({ "": value });
});

test("the lag of a backup is that since it was paired: not of the time in which it caught up", () => {
  meter.onReport({ kind: "lag", entries: 900, ms: 4_000 });
  meter.onReport({ kind: "paired", backup: "b", epoch: 2 });
  meter.onReport({ kind: "lag", entries: 2, ms: 12 });
  expect(meter.lagMs.quantiles().max).toBe(12);
});

test("what only a pair can tell is absent where there is none", async () => {
  state = alone;
  for (const name of ["execution_lag_seconds", "execution_lag_entries", "heartbeat_age_seconds"]) {
    expect(await read(name)).toEqual({});
  }
  expect(await read("fault_tolerant")).toEqual({ "": 0 });
  state = backup;
  for (const name of ["execution_lag_seconds", "cpu_limit_ratio", "fault_tolerant"]) {
    expect(await read(name)).toEqual({});
  }
  expect(await read("heartbeat_age_seconds")).toEqual({ "": expect.any(Number) });
  expect(await read("live")).toEqual({ "": 0 });
  expect((await read("role"))['{role="backup"}']).toBe(1);
});

test("while the state is on its way to a candidate, no lag is told", async () => {
  const taken = followerOfMine(
    { kind: "snapshot", transfer: 1, sinceMs: 0 },
    { executed: -1, executedUs: 0 },
  );
  state = stateOf(primary({ follower: taken, log: emptyLog(10), timeUs: 9e9 }), record(1, "me"));
  for (const name of ["execution_lag_seconds", "execution_lag_entries"]) {
    expect(await read(name)).toEqual({});
  }
});

test("what the last backup left unacknowledged is no delay of the next one", async () => {
  meter.onSent({ kind: "batch", batch: batch(7) }, 100);
  meter.onReport({ kind: "transferStarted", id: 1 });
  meter.onReport({ kind: "acknowledged", through: 20 });
  expect(await read("acknowledgement_seconds_count")).toEqual({ "": 0 });
});

test("before the record was read nothing is said of it, so that no counter seems to begin anew", async () => {
  state = stateOf({ kind: "stopped", reason: "no record", message: "" }, null);
  expect(await read("takeovers_total")).toEqual({});
  expect(await read("epoch")).toEqual({});
});

test("log that is sent and log that is received are counted apart, and together in the status", async () => {
  meter.onSent({ kind: "batch", batch: batch(0, 3) }, 120);
  meter.onReceived({ kind: "batch", batch: batch(3, 2, 40) });
  expect(await read("log_bytes_total")).toEqual({
    '{direction="sent"}': 120,
    '{direction="received"}': 40,
  });
  expect(await read("log_entries_total")).toEqual({
    '{direction="sent"}': 3,
    '{direction="received"}': 2,
  });
  expect([meter.logBytes, meter.logEntries]).toEqual([160, 5]);
});

test.each([
  ["started", "start"],
  ["restarted", "start"],
  ["handed over", "handover"],
  ["no heartbeat for 512 ms", "takeover"],
])("a guest that goes live because: %s, is a %s", async (reason, cause) => {
  meter.onReport({ kind: "live", afterMs: 300, reason });
  const counts = await read("go_live_seconds_count");
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(1);
  expect(counts[`{cause="${cause}"}`]).toBe(1);
  expect((await read("go_live_seconds_sum"))[`{cause="${cause}"}`]).toBe(0.3);
  expect(meter.goLive).toMatchObject({ reason, afterMs: 300 });
});

test.each<[string, PairReport, string]>([
  ["a suspicion", { kind: "suspected", reason: "silence" }, "suspicions_total"],
  ["a lost backup", { kind: "followerLost", nonce: "b", reason: "silence" }, "suspicions_total"],
  [
    "a divergence",
    { kind: "followerLost", nonce: "b", reason: "diverged at 7" },
    "divergences_total",
  ],
  ["a refusal", { kind: "followerRefused", nonce: "c", message: "" }, "candidates_refused_total"],
  ["a bad message", { kind: "badMessage", message: "" }, "bad_messages_total"],
  [
    "a broken transfer",
    { kind: "transferFailed", id: 1, message: "" },
    "state_transfer_failures_total",
  ],
  ["a pause", { kind: "snapshotTaken", id: 1, pauseMs: 90 }, "state_transfer_pause_seconds_count"],
  [
    "a state transfer",
    { kind: "transferFinished", id: 1, ms: 800 },
    "state_transfer_seconds_count",
  ],
])("%s is counted", async (_, report, name) => {
  expect(await read(name)).toEqual({ "": 0 });
  meter.onReport(report);
  expect(await read(name)).toEqual({ "": 1 });
});
