import { expect, test } from "@jest/globals";
import {
  type After,
  after,
  executor,
  frames,
  me,
  nowMs,
  peer,
  record,
  typed,
} from "../../../test/pair-states.ts";
import { failureTimeoutMs } from "../../shared/limits.ts";
import type { RefuseReason } from "../logging-channel/messages.ts";
import type { Candidate, PairInput } from "./pair-types.ts";
import { candidateRole } from "./roles.ts";

const dialled: PairInput = { kind: "dialled", link: 1 };
const tick: PairInput = { kind: "tick" };

function candidate(but: Partial<Candidate> = {}): Candidate {
  return { ...candidateRole(nowMs), ...but };
}

function connected(...inputs: PairInput[]): After {
  const role = candidate({ dialling: true, link: 1, retryMs: nowMs + failureTimeoutMs });
  return after(role, record(4, peer), ...inputs);
}

function read(known: ReturnType<typeof record> | null): PairInput {
  return { kind: "recordRead", record: known };
}

test("a candidate first reads the record", () => {
  expect(after(candidate(), null, tick).effects.map(({ kind }) => kind)).toEqual(["readRecord"]);
});

test("a VM that was never started is started by asking, and only once at a time", () => {
  const asked = after(candidate(), null, tick, read(record(0, null)), tick, tick);
  expect(asked.asked).toEqual(["start"]);
  expect(asked.role.kind).toBe("candidate");
});

test("named primary, it lives for the first time, whether it is told by an answer or by the record", () => {
  const answer: PairInput = {
    kind: "answer",
    request: { kind: "start", vm: "vm-1", runner: me, epoch: 0 },
    outcome: { kind: "granted", record: record(1, me) },
  };
  for (const input of [answer, read(record(1, me))]) {
    const born = after(candidate(), record(0, null), input);
    expect(born.role).toMatchObject({ kind: "primary", live: false });
    expect(born.effects.map(({ kind }) => kind)).toContain("recordFirstLife");
  }
});

test("a VM without a record is not started: a deleted record must not look like a new VM", () => {
  expect(after(candidate(), null, tick, read(null)).exit).toBe("no record");
});

test("a VM that was stopped is not started", () => {
  expect(after(candidate(), null, tick, read(record(7, null))).exit).toBe("stopped");
});

test("it dials the primary and says that it has nothing", () => {
  const dialling = after(candidate(), null, tick, read(record(4, peer)), dialled);
  expect(dialling.of("dial")).toHaveLength(1);
  expect(dialling.of("send")[0]?.message).toMatchObject({ kind: "hello", nonce: me, received: -1 });
});

test("welcomed, it follows", () => {
  const message = { kind: "welcome", nonce: peer, next: 10 } as const;
  const joined = connected({ kind: "message", link: 1, message });
  expect(joined.role).toMatchObject({ kind: "follower", primary: peer, received: -1 });
});

test("a dial that fails is tried again after a pause and a new look at the record", () => {
  const failed = after(candidate({ dialling: true }), record(4, peer), {
    kind: "dialFailed",
    refused: true,
  });
  expect(failed.step([tick], nowMs + 50).of("readRecord")).toEqual([]);
  expect(failed.step([tick], nowMs + 100).of("readRecord")).toHaveLength(1);
});

test("a primary that does not answer is hung up on", () => {
  const silent = connected().step([tick], nowMs + failureTimeoutMs);
  expect(silent.of("hangUp")).toHaveLength(1);
  expect(silent.role).toMatchObject({ link: null, dialling: false });
});

test.each<[RefuseReason, string | null]>([
  ["another VM", "refused"],
  ["another version", "refused"],
  ["not the primary", null],
  ["pair complete", null],
  ["log gone", null],
  ["busy", null],
])("refused because of '%s' it ends with: %s", (reason, exit) => {
  const message = { kind: "refuse", reason, message: "no" } as const;
  const refused = connected({ kind: "message", link: 1, message });
  expect(refused.exit).toBe(exit);
  expect(refused.of("hangUp")).toHaveLength(1);
});

test("anything but an answer to its hello is a broken protocol", () => {
  const message = { kind: "snapshotEnd", id: 1, hash: new Uint8Array(32) } as const;
  const broken = connected({ kind: "message", link: 1, message });
  expect(broken.of("report")[0]?.report).toMatchObject({ kind: "badMessage" });
  expect(broken.role).toMatchObject({ kind: "candidate", link: null });
});

test("what comes on a connection of the past is not heard", () => {
  const message = { kind: "welcome", nonce: peer, next: 10 } as const;
  expect(connected({ kind: "message", link: 9, message }).role.kind).toBe("candidate");
  expect(connected({ kind: "linkClosed", link: 9 }).role).toMatchObject({ link: 1 });
});

test("its connection closed: it tries again later", () => {
  expect(connected({ kind: "linkClosed", link: 1 }).role).toMatchObject({ link: null });
});

test("told to leave, it leaves", () => {
  expect(after(candidate(), null, { kind: "terminate" }).exit).toBe("stopped");
});

test.each<[string, PairInput]>([
  ["a heartbeat", { kind: "heartbeat", nonce: peer }],
  ["console input", { kind: "guestInput", input: typed }],
  ["a frame", { kind: "guestInput", input: frames }],
  ["the power button", { kind: "powerOff" }],
  ["a late chunk", { kind: "chunkSent", id: 1 }],
  ["a late word of the executor", executor({ kind: "executed", index: 3, timeUs: 1 })],
  ["silence of the record", { kind: "recordUnreadable" }],
  ["no answer", { kind: "noAnswer" }],
])("%s means nothing to a candidate", (_, input) => {
  const role = candidate({ dialling: true });
  expect(after(role, record(4, peer), input)).toMatchObject({ effects: [], state: { role } });
});
