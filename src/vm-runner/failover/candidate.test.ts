import { expect, test } from "@jest/globals";
import {
  After,
  after,
  executor,
  frames,
  me,
  nowMs,
  peer,
  record,
  stateOf,
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

test("while dials fail in a row it looks ever more seldom, and as before after one that succeeds", () => {
  let [atMs, looking] = [nowMs, after(candidate(), null, tick)];
  const pauses: number[] = [];
  const fails: PairInput = { kind: "dialFailed", refused: true };
  for (let times = 0; times < 7; times++) {
    const failed = looking.step([read(record(4, peer)), fails], atMs);
    const { role } = failed.state;
    const retryMs = role.kind === "candidate" ? role.retryMs : atMs;
    pauses.push(retryMs - atMs);
    atMs = retryMs;
    looking = failed.step([tick], atMs);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
  const lost: PairInput = { kind: "linkClosed", link: 1 };
  const met = looking.step([read(record(4, peer)), dialled, lost], atMs);
  expect(met.role).toMatchObject({ retryMs: atMs + 100, failedDials: 0 });
});

test("a VM that was stopped is not started", () => {
  expect(after(candidate(), null, tick, read(record(7, null))).exit).toBe("stopped");
});

const gone = record(7, "dead", "dead too");

function permitted(restartEpoch: number | null, known = gone, role = candidate()): After {
  const state = stateOf(role, null);
  const config = { ...state.config, restartEpoch };
  return new After({ ...state, config }).step([tick, read(known)]);
}

test.each<[string, number | null, ReturnType<typeof record>, Partial<Candidate>, string]>([
  ["the record at the epoch of its permission", 7, gone, {}, "restart"],
  ["a VM that was stopped at the epoch of its permission", 7, record(7, null), {}, "restart"],
  ["no permission", null, gone, {}, "dial"],
  ["a permission for an earlier epoch", 6, gone, {}, "dial"],
  ["a permission for a later epoch", 8, gone, {}, "dial"],
  ["a permission and a log that it has followed since", 7, gone, { brokenOff: 1 }, "dial"],
  ["a permission for an earlier epoch of a VM that was stopped", 6, record(7, null), {}, "exit"],
  ["a VM that never started, whatever its permission", 0, record(0, null), {}, "start"],
])("with %s (%j) a candidate's next act is right", (_, restartEpoch, known, but, act) => {
  const acted = permitted(restartEpoch, known, candidate(but));
  const acts = acted.effects.flatMap((effect) => {
    if (effect.kind === "ask") return [effect.request.kind];
    return effect.kind === "dial" || effect.kind === "exit" ? [effect.kind] : [];
  });
  expect(acts).toEqual([act]);
});

test("a restart names the epoch of its permission, and the operator's word", () => {
  expect(permitted(7).of("ask")[0]?.request).toEqual({
    ...{ kind: "restart", vm: "vm-1", runner: me, epoch: 7, bothProvenGone: true },
  });
});

test("nothing lives before the restart is granted, and no answer is asked for again", () => {
  const waiting = permitted(7)
    .step([{ kind: "noAnswer" }])
    .step([tick], nowMs + 100);
  expect(waiting.asked).toEqual(["restart", "restart"]);
  expect(waiting.effects.map(({ kind }) => kind)).not.toContain("recordFirstLife");
  const granted = waiting.step([read(record(8, me))]);
  expect(granted.role).toMatchObject({ kind: "primary", live: false });
  expect(granted.state).toMatchObject({ life: 8, view: { unsettled: [] } });
  expect(granted.of("releaseRemembered")).toEqual([{ kind: "releaseRemembered", life: 8 }]);
  expect(granted.of("recordFirstLife")).toHaveLength(1);
});

test("another transition came first: it is an ordinary candidate", () => {
  const request = { kind: "restart", vm: "vm-1", runner: me, epoch: 7 } as const;
  const late = permitted(7).step([
    {
      ...{ kind: "answer", request: { ...request, bothProvenGone: true } },
      outcome: { kind: "refused", reason: "stale epoch", record: record(8, "dead too") },
    },
  ]);
  expect(late.exit).toBeNull();
  expect(late.step([tick], nowMs + 100).asked).toEqual(["restart"]);
});

test("it dials the primary and says that it has nothing", () => {
  const dialling = after(candidate(), null, tick, read(record(4, peer)), dialled);
  expect(dialling.of("dial")).toHaveLength(1);
  expect(dialling.of("send")[0]?.message).toMatchObject({ kind: "hello", nonce: me, received: -1 });
});

test("welcomed, it follows", () => {
  const message = { kind: "welcome", nonce: peer, life: 3, next: 10 } as const;
  const joined = connected({ kind: "message", link: 1, message });
  expect(joined.role).toMatchObject({ kind: "follower", primary: peer, received: -1 });
  expect(joined.state.life).toBe(3);
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
  const message = { kind: "welcome", nonce: peer, life: 3, next: 10 } as const;
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
