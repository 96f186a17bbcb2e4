import { expect, test } from "@jest/globals";
import {
  type After,
  ack,
  after,
  executor,
  followerOfMine,
  frames,
  live,
  me,
  nowMs,
  peer,
  primary,
  printed,
  record,
  recorded,
  stateOf,
  typed,
} from "../../../test/pair-states.ts";
import { aloneLookMs, successorWaitMs } from "../../shared/limits.ts";
import type { RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { emptyHold } from "../output-rule/output-hold.ts";
import { step } from "./pair.ts";
import type { Leaving, PairInput, PairState, Primary } from "./pair-types.ts";
import { possibleBackups, type RunnerRequest } from "./record-view.ts";

const tick: PairInput = { kind: "tick" };
const alone = record(4, me);
const paired = record(4, me, peer);

function having(
  kind: "catchingUp" | "gated" | "paired" | "dismissed" | "lost",
  acked = 9,
): Primary {
  return primary({
    follower: followerOfMine(kind === "catchingUp" ? { kind, sinceMs: 0 } : { kind }, {
      acked,
      link: kind === "lost" ? null : 1,
    }),
  });
}

function answered(kind: RunnerRequest["kind"], now: VmRecord): PairInput {
  // SAFETY: the core looks at the record of an answer, not at what was asked.
  const request = { kind, vm: "vm-1", runner: me, backup: peer, epoch: now.epoch - 1 } as Extract<
    RecordRequest,
    RunnerRequest
  >;
  return { kind: "answer", request, outcome: { kind: "granted", record: now } };
}

test.each<[string, Primary, VmRecord, number[]]>([
  ["alone: at once", primary(), alone, [10]],
  ["with a candidate that executes the log: at once", having("catchingUp"), alone, [10]],
  ["with a candidate about to be named: not before it acknowledges", having("gated"), alone, []],
  [
    "with a candidate that is to be named and not yet asked for: not either",
    { ...having("gated", 7), hold: { ...emptyHold, released: 8 } },
    alone,
    [],
  ],
  ["paired: not before the backup acknowledges", having("paired"), paired, []],
  ["with a lost backup: not before 'alone' is granted", having("lost"), paired, []],
  ["just handed to: not before the old primary acknowledges", having("dismissed"), paired, []],
  ["beside a backup it does not know: not at all", primary(), record(4, me, "x"), []],
])("an output leaves %s", (_, role, known, released) => {
  expect(after(role, known, recorded(10), printed(10)).released).toEqual(released);
});

test("an output leaves with the acknowledgement of its own entry, not with an earlier one", () => {
  const held = after(
    having("paired"),
    paired,
    recorded(10),
    printed(10),
    recorded(11),
    printed(11),
  );
  expect(held.step([ack(9)]).released).toEqual([]);
  expect(held.step([ack(10)]).released).toEqual([10]);
  expect(held.step([ack(11)]).released).toEqual([10, 11]);
});

test("an output waits for everybody whom an unsettled 'pair' could have named", () => {
  const asked = after(having("gated"), alone, tick, { kind: "noAnswer" });
  expect(asked.asked).toEqual(["pair"]);
  const lost = asked.step([{ kind: "message", link: 1, message: bye }, recorded(10), printed(10)]);
  expect(lost.role).toMatchObject({ follower: null });
  expect([...(possibleBackups(lost.state.view, me) ?? [])]).toEqual([peer]);
  expect(lost.released).toEqual([]);
  expect(lost.step([{ kind: "recordRead", record: alone }]).released).toEqual([]);
  const settled = lost.step([tick], nowMs + 50);
  expect(settled.asked).toEqual(["pair", "alone"]);
  expect(settled.step([answered("alone", record(5, me))]).released).toEqual([10]);
});

const bye = { kind: "bye", reason: "stopping", message: "" } as const;

test("while a hand-over is unsettled nothing leaves", () => {
  const leaving: Leaving = { kind: "draining", next: 10, untilMs: 0 };
  const asked = after({ ...having("paired"), leaving }, paired, tick, { kind: "noAnswer" });
  expect(asked.asked).toEqual(["handover"]);
  const printing = asked.step([recorded(10), printed(10), ack(10)]);
  expect(printing.released).toEqual([]);
});

test.each<[string, Primary, VmRecord, string[]]>([
  ["alone, nothing", primary(), alone, []],
  ["for a candidate that executes the log, nothing", having("catchingUp"), alone, []],
  ["for one that has acknowledged all that was seen, 'pair'", having("gated"), alone, ["pair"]],
  [
    "for one that has not, nothing",
    { ...having("gated", 7), hold: { ...emptyHold, released: 8 } },
    alone,
    [],
  ],
  ["paired, nothing", having("paired"), paired, []],
  ["with a lost backup, 'alone'", having("lost"), paired, ["alone"]],
  ["with the old primary as backup, 'alone'", having("dismissed"), paired, ["alone"]],
  [
    "beside a backup that is not its follower, 'alone'",
    having("gated"),
    record(4, me, "x"),
    ["alone"],
  ],
  ["switched off, 'stop'", primary({ poweredOff: 9 }), alone, ["stop"]],
  [
    "switched off with a lost backup, first 'alone'",
    { ...having("lost"), poweredOff: 9 },
    paired,
    ["alone"],
  ],
])("it asks: %s", (_, role, known, asked) => {
  expect(after(role, known, tick).asked).toEqual(asked);
});

test("switched off, it asks for 'stop' only when everything printed has left", () => {
  const off = after(
    having("paired"),
    paired,
    recorded(10),
    printed(10),
    executor({ kind: "poweredOff", index: 10 }),
  );
  expect(off.asked).toEqual([]);
  const gone = off.step([ack(10)]);
  expect(gone.released).toEqual([10]);
  expect(gone.asked).toEqual(["stop"]);
  const stopped = gone.step([answered("stop", record(5, null))]);
  expect(stopped.exit).toBe("stopped");
  expect(stopped.sent.at(-1)).toBe("bye");
});

test.each([
  ["the backup took over", record(5, peer), "superseded"],
  ["others live", record(6, "x", "y"), "superseded"],
  ["it is named backup and never handed over", record(5, peer, me), "superseded"],
  ["the VM was stopped", record(5, null), "stopped"],
])("it ends when the record says that %s, and lets out nothing more", (_, known, exit) => {
  const held = after(having("paired"), paired, recorded(10), printed(10));
  const ended = held.step([{ kind: "recordRead", record: known }, ack(10)]);
  expect(ended.exit).toBe(exit);
  expect(ended.released).toEqual([]);
});

function leave(role: Primary, ...inputs: PairInput[]): After {
  return after(role, paired, { kind: "terminate" }, ...inputs);
}

test("told to leave it stops at an entry, waits until the backup executed all, and asks", () => {
  const paused = leave(having("paired"), recorded(10), executor({ kind: "paused", next: 11 }));
  expect(paused.commands).toEqual(["pause"]);
  expect(paused.asked).toEqual([]);
  const drained = paused.step([ack(10, 9)]);
  expect(drained.asked).toEqual([]);
  expect(drained.step([ack(10, 10)]).asked).toEqual(["handover"]);
});

test("handed over, it follows its successor, tells it so, and gets its full speed back", () => {
  const role = {
    ...having("paired"),
    cpuLimit: 0.5,
    leaving: { kind: "draining", next: 10, untilMs: 0 },
  } as const;
  const swapped = after(role, paired, tick, answered("handover", record(5, peer, me)));
  expect(swapped.role).toMatchObject({
    kind: "follower",
    leaving: { untilMs: 0 },
    received: 9,
    link: 1,
  });
  expect(swapped.sent).toEqual(["recordChanged"]);
  expect(swapped.commands).toContain("cpuLimit");
});

test("a hand-over whose backup dies is given up, and the guest goes on until it can be switched off", () => {
  const role = { ...having("lost"), leaving: { kind: "draining", next: 10, untilMs: 0 } } as const;
  const again = after(role, paired, tick, answered("alone", record(5, me)));
  expect(again.commands).toEqual(["record"]);
  expect(again.step([tick], nowMs + successorWaitMs - 1).commands).toEqual(["record"]);
  const late = again.step([tick], nowMs + successorWaitMs);
  expect(late.of("executor").at(-1)?.command).toMatchObject({
    kind: "input",
    input: { kind: "powerOff" },
  });
});

test("the time for which a runner waits as it leaves is never made shorter by another half", () => {
  const untilMs = nowMs + 3 * successorWaitMs;
  const waiting = { ...having("catchingUp"), leaving: { kind: "waiting", untilMs } } as const;
  expect(after(waiting, alone, tick).role).toMatchObject({ leaving: { untilMs } });
  const draining = { ...having("lost"), leaving: { kind: "draining", next: 10, untilMs } } as const;
  const again = after(draining, paired, tick, answered("alone", record(5, me)));
  expect(again.role).toMatchObject({ leaving: { kind: "waiting", untilMs } });
  const late = { ...waiting, leaving: { kind: "waiting", untilMs: nowMs + 1 } } as const;
  const more = { leaving: { untilMs: nowMs + successorWaitMs } };
  expect(after(late, alone, tick).role).toMatchObject(more);
});

test("told to leave while a candidate joins that then dies, it waits for another one", () => {
  const phase = { kind: "snapshot", transfer: 1, sinceMs: nowMs } as const;
  const joining = primary({ follower: followerOfMine(phase) });
  const told = after(joining, alone, { kind: "terminate" }, tick);
  const gone = told.step([{ kind: "linkClosed", link: 1 }, tick], nowMs + 50);
  expect(gone.of("executor").map(({ command }) => command.kind)).not.toContain("input");
  const late = gone.step([tick], nowMs + 50 + successorWaitMs);
  expect(late.of("executor").at(-1)?.command).toMatchObject({ input: { kind: "powerOff" } });
});

test("told to leave alone, it switches the guest off once", () => {
  const off = after(primary(), alone, { kind: "terminate" }, tick, { kind: "terminate" }, tick);
  expect(off.commands).toEqual(["input"]);
});

test("who switched the guest off since it was left alone says so; other ends of the VM are plain", () => {
  const stopped: PairInput = { kind: "recordRead", record: record(5, null) };
  const leaving = { kind: "poweringOff", untilMs: nowMs } as const;
  expect(after(primary({ leaving }), alone, stopped).exit).toBe("left alone");
  expect(after(primary(), alone, stopped).exit).toBe("stopped");
  const waiting = { kind: "waiting", untilMs: nowMs + 1 } as const;
  expect(after(primary({ leaving: waiting }), alone, stopped).exit).toBe("stopped");
});

const reads = (result: After) => result.of("readRecord").length;

test("without a backup it looks at the record every few seconds, and not while it asks", () => {
  const early = after(primary(), alone).step([tick], nowMs + aloneLookMs - 1);
  expect(reads(early)).toBe(0);
  const looking = early.step([tick, tick], nowMs + aloneLookMs);
  expect(reads(looking)).toBe(1);
  const answer: PairInput = { kind: "recordRead", record: alone };
  const seen = looking.step([answer, tick], nowMs + aloneLookMs + 5);
  expect(reads(seen.step([tick], nowMs + 2 * aloneLookMs))).toBe(1);
  expect(reads(seen.step([tick], nowMs + 2 * aloneLookMs + 5))).toBe(2);
  const asking = after(having("lost"), paired, tick).step([tick], nowMs + aloneLookMs);
  expect(asking.asked).toEqual(["alone"]);
  expect(reads(asking)).toBe(0);
});

test("a look that gets no answer changes nothing, and the next one comes at its time", () => {
  const looking = after(primary(), alone).step([tick], nowMs + aloneLookMs);
  const blind = looking.step([{ kind: "recordUnreadable" }, tick], nowMs + aloneLookMs + 1_000);
  expect(blind.exit).toBeNull();
  expect(reads(blind)).toBe(1);
  expect(reads(blind.step([tick], nowMs + 2 * aloneLookMs))).toBe(2);
});

test("with a named backup it need not look at the record", () => {
  expect(reads(after(having("paired"), paired).step([tick], nowMs + aloneLookMs))).toBe(0);
});

test.each<[string, VmRecord | null, string | null]>([
  ["others are named", record(5, "x", "y"), "superseded"],
  ["the VM was stopped", record(5, null), "stopped"],
  ["it was deleted", null, "no record"],
  ["nothing has changed", alone, null],
  ["it is an old one", record(3, "x"), null],
])("a lone primary reads the record, and %s", (_, now, exit) => {
  expect(after(primary(), alone, { kind: "recordRead", record: now }).exit).toBe(exit);
});

test("told to leave before it is live, it waits until it is", () => {
  const waiting = after(primary({ live: false }), alone, { kind: "terminate" }, tick);
  expect(waiting.commands).toEqual([]);
  expect(waiting.step([live(10)]).commands).toEqual(["input"]);
});

test.each([
  ["console input", { kind: "guestInput", input: typed }],
  ["a frame", { kind: "guestInput", input: frames }],
  ["the power button", { kind: "powerOff" }],
] as [string, PairInput][])("%s goes to the guest", (_, input) => {
  expect(after(primary(), alone, input).commands).toEqual(["input"]);
});

test("a connection that it dialled in an earlier role is hung up", () => {
  expect(after(primary(), alone, { kind: "dialled", link: 8 }).of("hangUp")[0]?.link).toBe(8);
});

test.each([
  ["diverged", { kind: "diverged", index: 9, what: "eax" }],
  ["trapped", { kind: "trapped", index: 9, message: "ud2" }],
] as const)("%s, it stops", (exit, event) => {
  expect(after(having("paired"), paired, executor(event)).exit).toBe(exit);
});

test("a stopped runner hears and does nothing", () => {
  const role = { kind: "stopped", reason: "stopped", message: "" } as const;
  const inputs: PairInput[] = [tick, printed(3), { kind: "recordRead", record: alone }];
  expect(after(role, alone, ...inputs)).toMatchObject({ state: stateOf(role, alone), effects: [] });
});

test("a primary that is told to leave alone waits as long as it was configured for somebody, then powers off", () => {
  const patient = (state: PairState) => ({
    ...state,
    config: { ...state.config, leaveWaitMs: 40_000 },
  });
  const told = step(patient(stateOf(primary(), alone)), { kind: "terminate" }, nowMs);
  expect(told.effects).toEqual([]);
  const early = step(told.state, tick, nowMs + 39_999);
  expect(early.effects).toEqual([{ kind: "readRecord" }]);
  const late = step(early.state, tick, nowMs + 40_000);
  const powerOff = { kind: "input", input: { kind: "powerOff" } };
  expect(late.effects).toContainEqual({ kind: "executor", command: powerOff });
});
