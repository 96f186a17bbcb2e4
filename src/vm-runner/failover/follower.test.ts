import { expect, test } from "@jest/globals";
import {
  type After,
  after,
  batch,
  executor,
  follower,
  me,
  nowMs,
  peer,
  record,
} from "../../../test/pair-states.ts";
import { failureTimeoutMs } from "../../shared/limits.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { Follower, PairInput } from "./pair-types.ts";

const tick: PairInput = { kind: "tick" };
const named = record(4, peer, me);
const unnamed = record(4, peer);
const awaited = follower({
  received: -1,
  executed: -1,
  reported: -1,
  machine: { kind: "awaited" },
});

function says(message: ChannelMessage): PairInput {
  return { kind: "message", link: 1, message };
}

const begin = says({
  kind: "snapshotBegin",
  id: 1,
  index: 20,
  memoryBytes: 100,
  devices: new Uint8Array(2),
});
const chunk = says({ kind: "snapshotChunk", id: 1, offset: 0, bytes: new Uint8Array(100) });
const end = says({ kind: "snapshotEnd", id: 1, hash: new Uint8Array(32) });
const restored = executor({
  kind: "restored",
  id: 1,
  first: 20,
  history: { position: 5, bytes: new Uint8Array(3) },
});

/** The connection was refused, so that the primary counts as lost at the next tick. */
function bereft(known = named, but: Partial<Follower> = {}): After {
  const role = follower(but);
  return after({ ...role, watch: { ...role.watch, closedMs: nowMs, refused: true } }, known, tick);
}

test("a batch is acknowledged when it is received, and executed after", () => {
  const taken = after(follower(), named, says({ kind: "batch", batch: batch(10, 3) }));
  expect(taken.of("send")[0]?.message).toMatchObject({ kind: "ack", received: 12, executed: 9 });
  expect(taken.commands).toEqual(["replay"]);
});

test("a sign of life is answered and not executed", () => {
  const taken = after(follower(), named, says({ kind: "batch", batch: batch(10, 0) }));
  expect(taken.sent).toEqual(["ack"]);
  expect(taken.commands).toEqual([]);
});

test("what was executed since is reported with a tick", () => {
  const executed = executor({ kind: "executed", index: 9, timeUs: 900 });
  const told = after(follower({ executed: 7, reported: 7 }), named, executed, tick, tick);
  expect(told.sent).toEqual(["ack"]);
});

test.each([
  ["a gap in the log", { kind: "batch", batch: batch(11) }],
  ["a repeated batch", { kind: "batch", batch: batch(9) }],
  ["a second snapshot", begin.kind === "message" ? begin.message : null],
  ["a chunk of no snapshot", { kind: "snapshotChunk", id: 1, offset: 0, bytes: new Uint8Array(1) }],
  ["the end of no snapshot", { kind: "snapshotEnd", id: 1, hash: new Uint8Array(32) }],
  ["an acknowledgement", { kind: "ack", received: 1, executed: 1, executedUs: 1 }],
] as [string, ChannelMessage][])("%s breaks the connection, which is made again", (_, message) => {
  const broken = after(follower(), named, says(message));
  expect(broken.effects.map(({ kind }) => kind)).toEqual(["report", "hangUp", "dial"]);
  expect(broken.role).toMatchObject({ kind: "follower", received: 9, link: null });
});

test("a snapshot is restored, and the log that came meanwhile is executed after", () => {
  const joined = after(
    awaited,
    unnamed,
    ...[begin, says({ kind: "batch", batch: batch(20, 2) }), chunk, end],
  );
  expect(joined.commands).toEqual(["beginRestore", "restoreChunk", "finishRestore"]);
  expect(joined.of("send").at(-1)?.message).toMatchObject({ received: 21, executed: 19 });
  const standing = joined.step([restored]);
  expect(standing.commands.slice(3)).toEqual(["replay"]);
  expect(standing.of("remember")[0]?.output).toMatchObject({ position: 5 });
  expect(standing.role).toMatchObject({ machine: { kind: "standing" } });
});

test("a restore of an earlier transfer that ends late does not count for this one", () => {
  const late = executor({
    kind: "restored",
    id: 1,
    first: 15,
    history: { position: 0, bytes: new Uint8Array() },
  });
  expect(after(awaited, unnamed, begin, late).role).toMatchObject({
    machine: { kind: "restoring" },
  });
});

test.each<[string, PairInput]>([
  ["the connection closes", { kind: "linkClosed", link: 1 }],
  ["the primary leaves", says({ kind: "bye", reason: "stopping", message: "" })],
  ["the restore fails", executor({ kind: "restoreFailed", id: 1, message: "hash" })],
  ["the protocol is broken", begin],
  ["the log has a gap", says({ kind: "batch", batch: batch(30) })],
])("during the transfer, when %s, it has executed nothing and begins again", (_, input) => {
  const again = after(awaited, unnamed, begin, input);
  expect(again.role).toMatchObject({ kind: "candidate", brokenOff: 1 });
  expect(again.commands.at(-1)).toBe("stop");
});

test("silence before the snapshot is none; after it began it breaks the transfer off", () => {
  const lateMs = nowMs + failureTimeoutMs + 1;
  const heard: PairInput[] = [{ kind: "heartbeat", nonce: peer }, tick, tick];
  expect(after(awaited, unnamed).step([tick], lateMs - 190).role.kind).toBe("follower");
  const beats = (role: Follower) => {
    let state = after(role, unnamed);
    for (let ms = nowMs; ms <= lateMs + 100; ms += 100) state = state.step(heard, ms);
    return state.role.kind;
  };
  expect(beats(awaited)).toBe("follower");
  const restoring = after(awaited, unnamed, begin).role;
  expect(restoring.kind === "follower" && beats(restoring)).toBe("candidate");
});

test("when the connection breaks one reconnect is tried, from the entry that is next", () => {
  const back = after(
    follower(),
    named,
    { kind: "linkClosed", link: 1 },
    { kind: "dialled", link: 2 },
  );
  expect(back.of("dial")).toHaveLength(1);
  expect(back.of("send")).toMatchObject([{ link: 2, message: { kind: "hello", received: 9 } }]);
  const welcome = { kind: "welcome", nonce: peer, life: 1, next: 12 } as const;
  const welcomed = back.step([{ kind: "message", link: 2, message: welcome }]);
  expect(welcomed.role).toMatchObject({ watch: { closedMs: null }, dialling: false });
});

test("it goes on acknowledging until the record was read: a suspicion alone changes nothing", () => {
  const suspecting = bereft();
  expect(suspecting.of("readRecord")).toHaveLength(1);
  expect(suspecting.role).toMatchObject({
    kind: "follower",
    suspicion: "connection closed and refused",
  });
  const waiting = suspecting.step([{ kind: "recordUnreadable" }, tick]);
  expect(waiting.role.kind).toBe("follower");
  expect(waiting.step([tick], nowMs + 50).of("readRecord")).toHaveLength(2);
});

test("named backup, it stops acknowledging for ever before it asks for the record", () => {
  const taking = bereft().step([{ kind: "recordRead", record: named }]);
  expect(taking.role).toMatchObject({ kind: "takingOver", received: 9 });
  expect(taking.asked).toEqual(["takeover"]);
  const later = taking.step([says({ kind: "batch", batch: batch(10) }), tick]);
  expect(later.sent).toEqual([]);
});

test("not named yet it waits for a 'pair' that may be on its way, and then ends", () => {
  const waiting = bereft(unnamed).step([{ kind: "recordRead", record: unnamed }], nowMs + 1_999);
  expect(waiting.exit).toBeNull();
  const ended = bereft(unnamed).step([{ kind: "recordRead", record: unnamed }], nowMs + 2_000);
  expect(ended.exit).toBe("superseded");
});

test.each([
  ["another pair lives", record(6, "x", "y"), "superseded"],
  ["the VM was stopped", record(6, null), "stopped"],
  ["there is no record", null, "no record"],
])("when it reads that %s, it ends", (_, read, exit) => {
  expect(bereft().step([{ kind: "recordRead", record: read }]).exit).toBe(exit);
});

test("named primary by a hand-over it lives, and counts the old primary until it is alone", () => {
  const live = after(follower(), named, { kind: "recordRead", record: record(5, me, peer) });
  expect(live.role).toMatchObject({ kind: "primary", follower: { phase: { kind: "dismissed" } } });
  expect(live.commands).toEqual(["allowance", "record"]);
  expect(live.asked).toEqual(["alone"]);
});

test("news of the record are read, again and again until they are seen", () => {
  const news = says({ kind: "recordChanged", record: record(5, me, peer) });
  const failed = after(follower(), named, news, { kind: "recordUnreadable" }, tick);
  expect(failed.of("readRecord")).toHaveLength(1);
  const early = failed.step([tick, { kind: "recordRead", record: named }, tick], nowMs + 50);
  expect(early.of("readRecord")).toHaveLength(2);
  const last = early.step([tick, { kind: "recordRead", record: record(5, me, peer) }], nowMs + 100);
  expect(last.role.kind).toBe("primary");
});

test("an old primary that is needed no more ends, and takes over when it is named yet", () => {
  const leaving = { leaving: { untilMs: 0 } };
  const read = (known: ReturnType<typeof record>) =>
    bereft(named, leaving).step([{ kind: "recordRead", record: known }]);
  expect(read(record(5, peer)).exit).toBe("stopped");
  expect(read(named).role).toMatchObject({ kind: "takingOver", leaving: { untilMs: 0 } });
});

test.each(["diverged", "trapped"] as const)("one that has %s says so and stops", (kind) => {
  const event =
    kind === "diverged" ? { kind, index: 9, what: "eax" } : { kind, index: 9, message: "ud2" };
  const gone = after(follower(), named, executor(event));
  expect(gone.of("send")[0]?.message).toMatchObject({ kind: "bye", reason: kind });
  expect(gone.exit).toBe(kind);
});

test("what it prints is remembered and not let out", () => {
  const output = { kind: "console", position: 0, bytes: Uint8Array.of(1) } as const;
  const printed = after(follower(), named, executor({ kind: "output", index: 9, output }));
  expect(printed.effects).toEqual([{ kind: "remember", output }]);
});

test("a refusal, or a farewell, means that there is no need to wait for silence", () => {
  for (const message of [
    { kind: "bye", reason: "trapped", message: "" },
    { kind: "refuse", reason: "log gone", message: "" },
    { kind: "welcome", nonce: "somebody else", life: 1, next: 0 },
  ] as const) {
    const left = after(follower(), named, says(message), tick);
    expect(left.role).toMatchObject({ suspicion: "connection closed and refused", link: null });
  }
});

test("told to leave it says so", () => {
  const gone = after(follower(), named, { kind: "terminate" });
  expect(gone.sent).toEqual(["bye"]);
  expect(gone.exit).toBe("stopped");
});

test("told to leave while it suspects the primary it stays, until the primary is heard again", () => {
  const suspecting = follower({ suspicion: "silence" });
  const told = after(suspecting, named, { kind: "terminate" });
  expect(told.exit).toBeNull();
  const heard = after({ ...suspecting, leaving: { untilMs: 0 } }, named, { kind: "tick" });
  expect(heard.exit).toBe("stopped");
});

test("told to leave while it suspects the primary, and handed over to: it lives, and leaves in order", () => {
  const suspecting = follower({ suspicion: "silence" });
  const told = after(suspecting, named, { kind: "terminate" });
  const handedOver = told.step([{ kind: "recordRead", record: record(5, me, peer) }]);
  expect(handedOver.role).toMatchObject({ kind: "primary", leaving: { kind: "waiting" } });
  const again = told.step([{ kind: "terminate" }], nowMs + 100);
  expect(again.role).toMatchObject({ leaving: { untilMs: nowMs } });
});

test("a candidate that comes to a backup is sent away", () => {
  const hello = {
    kind: "hello",
    vm: "vm-1",
    nonce: "c",
    fingerprint: { version: "1" },
    received: -1,
  } as const;
  const visited = after(follower(), named, { kind: "message", link: 5, message: hello });
  expect(visited.of("send")[0]?.message).toMatchObject({ reason: "not the primary" });
  expect(visited.of("hangUp")[0]?.link).toBe(5);
});
