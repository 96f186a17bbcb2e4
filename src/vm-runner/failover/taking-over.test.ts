import { expect, test } from "@jest/globals";
import {
  type After,
  after,
  batch,
  executor,
  live,
  me,
  nowMs,
  peer,
  record,
  takingOver,
} from "../../../test/pair-states.ts";
import type { PairInput, TakingOver } from "./pair-types.ts";

const tick: PairInput = { kind: "tick" };
const named = record(4, peer, me);
const granted: PairInput = {
  kind: "answer",
  request: { kind: "takeover", vm: "vm-1", runner: me, epoch: 4 },
  outcome: { kind: "granted", record: { ...record(5, me), takeovers: 1 } },
};

function taking(but: Partial<TakingOver> = {}, ...inputs: PairInput[]): After {
  return after(takingOver(but), named, ...inputs);
}

test("it asks until it has an answer, with one request at a time", () => {
  const asked = taking({}, tick, tick, { kind: "noAnswer" }, tick);
  expect(asked.asked).toEqual(["takeover"]);
  expect(asked.step([tick], nowMs + 50).asked).toEqual(["takeover", "takeover"]);
});

test("granted, it is primary, but not live before the recorder runs", () => {
  const primary = taking({}, tick, granted);
  expect(primary.role).toMatchObject({ kind: "primary", live: false, log: { next: 10 } });
  expect(primary.commands).toEqual(["allowance", "record"]);
  expect(primary.step([live(10)]).role).toMatchObject({ live: true });
});

test("granted, what it printed as a backup may be seen at once: all of it was acknowledged", () => {
  expect(taking({}, tick, granted).of("releaseRemembered")).toHaveLength(1);
});

test("the record itself tells it of its grant when the answer was lost", () => {
  const read: PairInput = { kind: "recordRead", record: record(5, me) };
  expect(taking({}, tick, { kind: "noAnswer" }, read).role.kind).toBe("primary");
});

test.each([
  ["the primary is alone now", record(5, peer), "superseded"],
  ["others live", record(7, "x", "y"), "superseded"],
  ["the VM was stopped", record(5, null), "stopped"],
])("refused because %s, it stops for good", (_, current, exit) => {
  const refused: PairInput = {
    kind: "answer",
    request: { kind: "takeover", vm: "vm-1", runner: me, epoch: 4 },
    outcome: { kind: "refused", reason: "stale epoch", record: current },
  };
  expect(taking({}, tick, refused).exit).toBe(exit);
});

test("refused at an unchanged epoch it asks again: a conflict is no decision", () => {
  const conflict: PairInput = {
    kind: "answer",
    request: { kind: "takeover", vm: "vm-1", runner: me, epoch: 4 },
    outcome: { kind: "refused", reason: "stale epoch", record: named },
  };
  const again = taking({}, tick, conflict).step([tick], nowMs + 50);
  expect(again.asked).toEqual(["takeover", "takeover"]);
});

test("it never acknowledges again, whatever comes", () => {
  const deaf = taking(
    {},
    tick,
    { kind: "message", link: 1, message: { kind: "batch", batch: batch(10) } },
    { kind: "heartbeat", nonce: peer },
    executor({ kind: "executed", index: 9, timeUs: 900 }),
  );
  expect(deaf.of("send")).toEqual([]);
  expect(deaf.role).toMatchObject({ received: 9 });
});

test("a connection that was being made is hung up", () => {
  expect(taking({}, { kind: "dialled", link: 3 }).of("hangUp")).toEqual([
    { kind: "hangUp", link: 3 },
  ]);
});

test("a guest that went off in what was acknowledged is not brought back", () => {
  const off = taking({}, tick, executor({ kind: "poweredOff", index: 9 }), granted);
  expect(off.role).toMatchObject({ kind: "primary", poweredOff: 9 });
  expect(off.commands).toEqual([]);
  expect(off.asked).toEqual(["takeover", "stop"]);
});

test.each([
  [{ kind: "diverged", index: 9, what: "eax" }, "diverged"],
  [{ kind: "trapped", index: 9, message: "ud2" }, "trapped"],
] as const)("a replay that fails ends it: %j", (event, exit) => {
  expect(taking({}, tick, executor(event)).exit).toBe(exit);
});

test("what it prints while it replays is remembered", () => {
  const output = { kind: "console", position: 0, bytes: Uint8Array.of(1) } as const;
  const printed = taking({}, executor({ kind: "output", index: 9, output }));
  expect(printed.of("remember")).toHaveLength(1);
});

test("told to leave it takes over first: ending now would be the end of the VM", () => {
  const told = taking({}, { kind: "terminate" });
  expect(told.exit).toBeNull();
  expect(told.role).toMatchObject({ kind: "takingOver", leaving: { untilMs: nowMs } });
});
