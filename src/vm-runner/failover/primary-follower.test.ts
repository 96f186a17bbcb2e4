import { expect, test } from "@jest/globals";
import {
  type After,
  ack,
  after,
  batch,
  executor,
  followerOfMine,
  me,
  nowMs,
  peer,
  primary,
  printed,
  record,
  recorded,
} from "../../../test/pair-states.ts";
import {
  executionTimeoutMs,
  failureTimeoutMs,
  heldConsoleBytesMax,
  logBufferBytesMax,
  recorderAheadEntriesMax,
  transferLogBytesMax,
  transferTimeoutMs,
  unacknowledgedEntriesMax,
} from "../../shared/limits.ts";
import { appendBatch, emptyLog } from "../logging-channel/log-buffer.ts";
import type { Hello } from "../logging-channel/messages.ts";
import type { ExecutorCommand } from "../replay/executor-protocol.ts";
import type { FollowerPhase, PairInput, Primary } from "./pair-types.ts";
import { candidateRole } from "./roles.ts";

const tick: PairInput = { kind: "tick" };
const alone = record(4, me);
const paired = record(4, me, peer);
const snapshot: FollowerPhase = { kind: "snapshot", transfer: 1, sinceMs: nowMs };
const streaming: FollowerPhase = {
  kind: "streaming",
  transfer: 1,
  sinceMs: nowMs,
  index: 10,
  complete: false,
};

function having(phase: FollowerPhase, but: Partial<Primary> = {}): Primary {
  return primary({ follower: followerOfMine(phase), ...but });
}

function hello(but: Partial<Hello> = {}): PairInput {
  const said = { kind: "hello", vm: "vm-1", nonce: "new", fingerprint: { version: "1" } } as const;
  return { kind: "message", link: 5, message: { ...said, received: -1, ...but } };
}

const taken = executor({
  kind: "snapshotTaken",
  id: 1,
  index: 10,
  memoryBytes: 100,
  devices: new Uint8Array(2),
  pauseMs: 20,
});

function chunk(hash: Uint8Array | null): PairInput {
  return executor({ kind: "snapshotChunk", id: 1, offset: 0, bytes: new Uint8Array(50), hash });
}

/** Keeps ticking with a living follower, so that only `inputs` at the end decide. */
function beating(start: After, untilMs: number, ...also: PairInput[]): After {
  let now = start;
  for (let ms = nowMs; ms <= untilMs; ms += 100) {
    now = now.step([{ kind: "heartbeat", nonce: peer }, ...also, tick], ms);
  }
  return now;
}

const phaseOf = (now: After) =>
  now.role.kind === "primary" ? (now.role.follower?.phase.kind ?? null) : null;

test("a candidate is welcomed, and a snapshot is asked for", () => {
  const welcomed = after(primary(), alone, hello());
  expect(welcomed.sent).toEqual(["welcome"]);
  expect(welcomed.commands).toEqual(["takeSnapshot"]);
  expect(welcomed.role).toMatchObject({ follower: { nonce: "new", phase: { kind: "snapshot" } } });
});

test.each<[string, Primary, ReturnType<typeof record>, Partial<Hello>, string]>([
  ["of another VM", primary(), alone, { vm: "vm-2" }, "another VM"],
  ["of another version", primary(), alone, { fingerprint: { version: "2" } }, "another version"],
  [
    "with a part that we do not know",
    primary(),
    alone,
    { fingerprint: { version: "1", cpu: "x" } },
    "another version",
  ],
  ["to a primary that is not live", primary({ live: false }), alone, {}, "busy"],
  ["to a guest that is off", primary({ poweredOff: 9 }), alone, {}, "busy"],
  ["while a snapshot for another is taken", primary({ snapshotAsked: 1 }), alone, {}, "busy"],
  ["to a primary with a follower", having({ kind: "paired" }), paired, {}, "pair complete"],
  ["while the record still names a backup", primary(), record(4, me, "x"), {}, "pair complete"],
  ["that has a log of its own", primary(), alone, { received: 7 }, "log gone"],
])("a candidate %s is refused with the reason", (_, role, known, said, reason) => {
  const refused = after(role, known, hello(said));
  const answer = refused.of("send").find(({ link }) => link === 5)?.message;
  expect(answer).toMatchObject({ kind: "refuse", reason });
  expect(refused.of("hangUp").map(({ link }) => link)).toContain(5);
  const reported = refused.of("report").map((effect) => effect.report.kind);
  expect(reported.includes("followerRefused")).toBe(reason === "another version");
});

test("from the snapshot's entry on the log is sent and kept, and not before", () => {
  const before = after(having(snapshot), alone, recorded(10));
  expect(before.sent).toEqual([]);
  const streamed = after(having(snapshot), alone, taken, recorded(10), recorded(11));
  expect(streamed.sent).toEqual(["snapshotBegin", "batch", "batch"]);
  expect(streamed.role).toMatchObject({ log: { next: 12 } });
  expect(streamed.kept).toEqual([10, 11]);
});

test("two chunks are under way as long as there is room, and the end frees the frozen state", () => {
  const sent: PairInput = { kind: "chunkSent", id: 1 };
  const streamed = after(
    having(snapshot),
    alone,
    taken,
    chunk(null),
    sent,
    chunk(new Uint8Array(32)),
    sent,
  );
  const reads = ["readSnapshot", "readSnapshot", "readSnapshot"];
  expect(streamed.commands).toEqual([...reads, "releaseSnapshot"]);
  expect(streamed.sent).toEqual(["snapshotBegin", "snapshotChunk", "snapshotChunk", "snapshotEnd"]);
});

test("a snapshot for a candidate that is gone is let go", () => {
  const gone = after(having(snapshot), alone, { kind: "linkClosed", link: 1 }, taken);
  expect(gone.commands).toEqual(["releaseSnapshot"]);
  expect(gone.role).toMatchObject({ follower: null, snapshotAsked: null });
});

test("a snapshot that fails ends the transfer and no more", () => {
  const event = { kind: "snapshotFailed", id: 1, message: "no memory" } as const;
  const failed = after(having(snapshot), alone, executor(event));
  expect(failed.of("report")[0]?.report).toMatchObject({ kind: "transferFailed" });
  expect(failed.role).toMatchObject({ kind: "primary", follower: null });
});

test("a candidate is named only after it has the snapshot, executes, and is close behind", () => {
  const role = having({ ...streaming, complete: true }, { log: emptyLog(10) });
  const restored = after(role, alone, recorded(10), recorded(11, 1_000), ack(1_010, 9));
  expect(phaseOf(restored)).toBe("streaming");
  const executing = restored.step([ack(1_010, 10)]);
  expect(phaseOf(executing)).toBe("catchingUp");
  expect(phaseOf(executing.step([ack(1_010, 500)]))).toBe("catchingUp");
  const near = executing.step([ack(1_010, 1_000)]);
  expect(phaseOf(near)).toBe("gated");
  expect(near.asked).toEqual(["pair"]);
});

test("named, it is told", () => {
  const named = after(having({ kind: "gated" }), alone, {
    kind: "recordRead",
    record: record(5, me, peer),
  });
  expect(phaseOf(named)).toBe("paired");
  expect(named.sent).toEqual(["recordChanged"]);
});

test("an acknowledgement drops what need not be kept", () => {
  const acked = after(having({ kind: "paired" }), paired, recorded(10), recorded(11), ack(10));
  expect(acked.role).toMatchObject({ follower: { acked: 10 } });
  expect(acked.kept).toEqual([11]);
});

test.each([
  ["of what was never sent", ack(10)],
  ["that goes back", ack(8)],
])("an acknowledgement %s costs the follower its place", (_, input) => {
  const lost = after(having({ kind: "paired" }), paired, input);
  expect(phaseOf(lost)).toBe("lost");
  expect(lost.of("report").map(({ report }) => report.kind)).toEqual([
    "badMessage",
    "followerLost",
  ]);
  expect(lost.asked).toEqual(["alone"]);
});

test("after a broken connection the log is sent again from the entry that is next", () => {
  const cut = after(
    having({ kind: "paired" }),
    paired,
    ...[recorded(10), recorded(11), { kind: "linkClosed", link: 1 } as const, recorded(12)],
  );
  const back = cut.step([hello({ nonce: peer, received: 10 })]);
  const resent = back
    .of("send")
    .filter(({ link }) => link === 5)
    .map(({ message }) => message);
  expect(resent).toMatchObject([
    { kind: "welcome" },
    { kind: "batch", batch: batch(11) },
    { kind: "batch", batch: batch(12) },
  ]);
  expect(back.role).toMatchObject({ follower: { link: 5, watch: { closedMs: null } } });
});

test("a follower that comes back on a second connection replaces the first", () => {
  const back = after(having({ kind: "paired" }), paired, hello({ nonce: peer, received: 9 }));
  expect(back.of("hangUp")).toMatchObject([{ link: 1 }]);
});

test.each<[string, FollowerPhase, number]>([
  ["whose entry is not kept", { kind: "paired" }, 5],
  ["that was given up", { kind: "lost" }, 9],
  ["in the middle of a transfer", streaming, 9],
])("a follower %s cannot come back", (_, phase, received) => {
  const role = having(phase, { log: appendBatch(emptyLog(10), batch(10)) });
  const back = after(role, paired, hello({ nonce: peer, received }));
  expect(back.of("send").at(-1)?.message).toMatchObject({ kind: "refuse", reason: "log gone" });
});

test("a follower that comes back acknowledges what it says it has", () => {
  const role = having({ kind: "paired" }, { log: appendBatch(emptyLog(10), batch(10)) });
  const back = after(role, paired, hello({ nonce: peer, received: 10 }));
  expect(back.role).toMatchObject({ follower: { acked: 10 }, log: { next: 11 } });
  expect(back.kept).toEqual([]);
});

test.each<[FollowerPhase, string | null]>([
  [snapshot, null],
  [streaming, null],
  [{ kind: "catchingUp", sinceMs: 0 }, null],
  [{ kind: "gated" }, null],
  [{ kind: "paired" }, "lost"],
  [{ kind: "dismissed" }, "lost"],
])("a follower in phase %j that leaves still counts as: %s", (phase, counts) => {
  const known = phase.kind === "paired" || phase.kind === "dismissed" ? paired : alone;
  const message = { kind: "bye", reason: "stopping", message: "" } as const;
  const left = after(having(phase), known, { kind: "message", link: 1, message });
  expect(phaseOf(left)).toBe(counts);
  expect(left.of("hangUp").map(({ link }) => link)).toContain(1);
});

test("silence is failure only when there is something to acknowledge", () => {
  const idle = beating(after(having({ kind: "paired" }), paired), nowMs + 2_000);
  expect(phaseOf(idle)).toBe("paired");
  const pending = after(having({ kind: "paired" }), paired, recorded(10));
  expect(phaseOf(beating(pending, nowMs + failureTimeoutMs))).toBe("paired");
  expect(phaseOf(beating(pending, nowMs + failureTimeoutMs + 100))).toBe("lost");
});

test("a backup that acknowledges and does not execute is lost after a while", () => {
  const pending = after(having({ kind: "paired" }), paired, recorded(10));
  const hung = (ms: number) => phaseOf(beating(pending, nowMs + ms, ack(10, 8 + 1)));
  expect(hung(executionTimeoutMs)).toBe("paired");
  expect(hung(executionTimeoutMs + 100)).toBe("lost");
});

test("a transfer that takes too long is broken off", () => {
  const role = having({ ...streaming, sinceMs: nowMs - transferTimeoutMs - 1 });
  expect(phaseOf(after(role, alone, tick))).toBeNull();
});

test.each<[FollowerPhase["kind"], boolean]>([
  ["streaming", false],
  ["catchingUp", false],
  ["gated", true],
  ["paired", true],
  ["dismissed", true],
])("a full log buffer with a follower in phase %s makes the primary wait: %s", (kind, waits) => {
  // SAFETY: the phases of the table but "streaming" have no further fields.
  const phase = kind === "streaming" ? streaming : ({ kind } as FollowerPhase);
  const known = waits && kind !== "gated" ? paired : alone;
  const full = after(having(phase), known, recorded(10, 1, logBufferBytesMax + 1));
  const stop = { kind: "allowance", through: 10, printed: heldConsoleBytesMax };
  expect(commandsOf(full)).toEqual(waits ? [stop] : []);
});

test("the primary goes on when the buffer is half empty, not before", () => {
  const half = logBufferBytesMax / 2;
  const full = after(
    having({ kind: "paired" }),
    paired,
    recorded(10, 1, half),
    recorded(11, 1, half),
    recorded(12, 1, 1),
  );
  expect(commandsOf(full)).toMatchObject([{ kind: "allowance", through: 12 }]);
  expect(full.step([ack(10)]).commands).toHaveLength(1);
  const room = full.step([ack(11)]);
  expect(commandsOf(room).at(-1)).toMatchObject({ through: 12 + recorderAheadEntriesMax });
});

test("the recorder may be ahead of what was taken in by a window, and is told so in time", () => {
  const quarter = recorderAheadEntriesMax / 4;
  const role = having({ kind: "paired" });
  expect(after(role, paired, recorded(10, quarter - 1)).commands).toEqual([]);
  const moved = after(role, paired, recorded(10, quarter));
  expect(commandsOf(moved)).toMatchObject([{ through: 9 + quarter + recorderAheadEntriesMax }]);
});

test("entries without an acknowledgement make the primary wait at their bound", () => {
  const many = recorded(10, unacknowledgedEntriesMax - 10);
  const full = after(having({ kind: "paired" }), paired, many);
  expect(commandsOf(full)).toMatchObject([{ through: 9 + unacknowledgedEntriesMax }]);
});

test("the recorder may print as much as may be held above what was released", () => {
  const bytes = new Uint8Array(heldConsoleBytesMax);
  const output = { kind: "console", position: 0, bytes } as const;
  const flood = executor({ kind: "output", index: 10, output });
  const held = after(having({ kind: "paired" }), paired, recorded(10), flood);
  expect(held.commands).toEqual([]);
  const printed = 2 * heldConsoleBytesMax;
  expect(commandsOf(held.step([ack(10)]))).toMatchObject([{ printed }]);
});

test("a first life is made, and its recorder bounded, before anything else is said to it", () => {
  const first = after({ ...candidateRole(nowMs) }, alone, { kind: "recordRead", record: alone });
  const kinds = first.effects.map(({ kind }) => kind);
  const [allowed] = commandsOf(first);
  expect(allowed).toMatchObject({ kind: "allowance", through: recorderAheadEntriesMax - 1 });
  expect(kinds.indexOf("recordFirstLife")).toBeLessThan(kinds.indexOf("executor"));
});

test("too much log for a candidate breaks its transfer off", () => {
  const full = after(having(streaming), alone, recorded(10, 1, transferLogBytesMax + 1), tick);
  expect(full.of("report")[0]?.report).toMatchObject({ kind: "followerLost" });
  expect(full.commands).toEqual(["releaseSnapshot"]);
  expect(full.role).toMatchObject({ follower: null, log: { bytes: 0 } });
});

test("once 'alone' is granted, what the lost backup held up leaves, at full speed", () => {
  const role = { ...having({ kind: "lost" }), cpuLimit: 0.3 };
  const held = after(role, paired, recorded(10), printed(10));
  expect(held.released).toEqual([]);
  const free = held.step([{ kind: "recordRead", record: record(5, me) }]);
  expect(free.released).toEqual([10]);
  expect(free.role).toMatchObject({ follower: null, cpuLimit: 1 });
});

test("after a standstill of its own the primary excuses its follower", () => {
  const pending = after(having({ kind: "paired" }), paired, recorded(10));
  expect(phaseOf(pending.step([tick], nowMs + 60_000))).toBe("paired");
});

test("a stranger's heartbeat keeps nobody alive", () => {
  const stranger: PairInput = { kind: "heartbeat", nonce: "stranger" };
  let now = after(having({ kind: "paired" }), paired);
  for (let ms = nowMs; ms <= nowMs + failureTimeoutMs + 100; ms += 100) {
    now = now.step([stranger, tick], ms);
  }
  expect(phaseOf(now)).toBe("lost");
});

function commandsOf(after: After): ExecutorCommand[] {
  return after.of("executor").map(({ command }) => command);
}
