import { beforeEach, expect, test } from "@jest/globals";
import { FrameReader, frame } from "../../shared/framing.ts";
import {
  type ConsoleMessage,
  consoleMessageBytesMax,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../shared/protocol/console.ts";
import { ConsoleSession, type SessionShell, type TryId } from "./console-session.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);

/** Runs the alarm's clock, and keeps what the session says on each of its tries. */
class FakeShell implements SessionShell {
  readonly tries = new Map<TryId, { endpoint: number; said: ConsoleMessage[]; open: boolean }>();
  wakeAtMs = 0;
  nowMs = 0;

  open(id: TryId, endpoint: number): void {
    this.tries.set(id, { endpoint, said: [], open: true });
  }

  send(id: TryId, sent: Uint8Array): void {
    const messages = new FrameReader(consoleMessageBytesMax).push(sent).map(decodeConsoleMessage);
    this.tries.get(id)?.said.push(...messages);
  }

  destroy(id: TryId): void {
    const attempt = this.tries.get(id);
    if (attempt !== undefined) attempt.open = false;
  }

  wakeIn(ms: number): void {
    this.wakeAtMs = this.nowMs + ms;
  }
}

let shell: FakeShell;
let session: ConsoleSession;
let seen: string;
let told: string[];

beforeEach(() => {
  shell = new FakeShell();
  session = start(null);
});

function start(position: number | null): ConsoleSession {
  seen = "";
  told = [];
  const events = {
    onOutput: (output: Uint8Array) => {
      seen += text(output);
    },
    onMissed: (missed: number) => told.push(`missed ${missed}`),
    onConnected: (endpoint: number) => told.push(`connected ${endpoint}`),
    onDisconnected: () => told.push("disconnected"),
    onAccepted: (upTo: number) => told.push(`accepted ${upTo}`),
    onRoom: () => told.push("room"),
    onRestarted: (life: number) => told.push(`life ${life}`),
  };
  return new ConsoleSession({ ...events, writer: 7, endpoints: 2, position }, shell, shell.nowMs);
}

/** Lets time pass, with every alarm that falls due. */
function pass(ms: number): void {
  const untilMs = shell.nowMs + ms;
  while (shell.wakeAtMs <= untilMs) {
    shell.nowMs = shell.wakeAtMs;
    shell.wakeAtMs = Number.POSITIVE_INFINITY;
    session.wake(shell.nowMs);
  }
  shell.nowMs = untilMs;
}

function say(id: TryId, message: ConsoleMessage): void {
  session.received(id, frame(encodeConsoleMessage(message)), shell.nowMs);
}

function attach(id: TryId, position = 0, life = 1): void {
  session.opened(id, shell.nowMs);
  say(id, { kind: "attached", life, position });
}

function output(id: TryId, position: number, printed: string): void {
  say(id, { kind: "output", position, bytes: bytes(printed) });
}

const said = (id: TryId) => shell.tries.get(id)?.said ?? [];
const openTries = () => [...shell.tries].filter(([, { open }]) => open).map(([id]) => id);

test("runners are asked in turn until one says that it is the primary; the others are left", () => {
  pass(20);
  expect([...shell.tries.values()].map(({ endpoint }) => endpoint)).toEqual([0, 1, 0]);
  attach(2);
  expect(said(2)).toEqual([{ kind: "attach", writer: 7, position: null }]);
  expect(openTries()).toEqual([2]);
  expect(told).toEqual(["connected 1"]);
});

test("a runner that is not the primary, or says what none says, is hung up on", () => {
  pass(20);
  for (const id of [1, 2, 3]) session.opened(id, shell.nowMs);
  say(1, { kind: "notPrimary" });
  say(2, { kind: "attach", writer: 1, position: null });
  session.received(3, frame(new Uint8Array([1, 2, 3])), shell.nowMs);
  expect(openTries()).toEqual([]);
  expect(session.connected).toBe(false);
});

test("output is shown once, at whatever byte the pieces of the stream are cut", () => {
  pass(0);
  session.opened(1, shell.nowMs);
  const stream = [
    { kind: "attached", life: 1, position: 0 },
    { kind: "output", position: 0, bytes: bytes("abc") },
    { kind: "output", position: 1, bytes: bytes("bcde") },
    { kind: "output", position: 2, bytes: bytes("cd") },
  ] as const;
  for (const message of stream) {
    for (const byte of frame(encodeConsoleMessage(message))) {
      session.received(1, Uint8Array.of(byte), shell.nowMs);
    }
  }
  expect(seen).toBe("abcde");
  expect(session.position).toBe(5);
});

test("after a failover output goes on at its byte, and what was not accepted is typed again", () => {
  pass(0);
  attach(1);
  output(1, 0, "abc");
  session.write(bytes("hello"));
  say(1, { kind: "accepted", writer: 7, position: 2 });
  session.closed(1, shell.nowMs);
  pass(0);
  expect(shell.tries.get(2)?.endpoint).toBe(1);
  attach(2, 3);
  expect(said(2)).toEqual([
    { kind: "attach", writer: 7, position: 3 },
    { kind: "input", position: 2, bytes: bytes("llo"), accepted: 2 },
  ]);
  output(2, 1, "bcd");
  expect(seen).toBe("abcd");
  expect(told).toEqual(["connected 0", "accepted 2", "disconnected", "connected 1"]);
});

test("what the runners no longer have is told", () => {
  pass(0);
  attach(1);
  output(1, 0, "abc");
  output(1, 5, "f");
  session.closed(1, shell.nowMs);
  pass(0);
  attach(2, 10);
  output(2, 10, "k");
  expect(told).toEqual(["connected 0", "missed 2", "disconnected", "missed 4", "connected 1"]);
  expect(seen).toBe("abcfk");
});

test("a silent primary is kept until another runner says that it is the primary now", () => {
  pass(0);
  attach(1);
  pass(1_200);
  const probes = openTries().filter((id) => id !== 1);
  expect(probes.map((id) => shell.tries.get(id)?.endpoint)).toEqual([1]);
  expect(session.connected).toBe(true);
  attach(probes[0] ?? 0);
  expect(openTries()).toEqual(probes);
  output(1, 0, "from the old one");
  output(probes[0] ?? 0, 0, "new");
  expect(seen).toBe("new");
});

test("a try without an answer is given up, and no runner is asked by too many at once", () => {
  pass(1_900);
  expect(openTries()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  pass(200);
  expect(openTries()).toHaveLength(8);
  expect(openTries()).not.toContain(1);
});

test("who finds no primary for long asks less often", () => {
  const triesIn = (ms: number) => {
    const before = shell.tries.size;
    for (let passed = 0; passed < ms; passed++) {
      pass(1);
      for (const id of openTries()) session.closed(id, shell.nowMs);
      for (const attempt of shell.tries.values()) attempt.open = false;
    }
    return shell.tries.size - before;
  };
  expect(triesIn(1_000)).toBeGreaterThan(100);
  pass(4_000);
  expect(triesIn(1_000)).toBeLessThanOrEqual(11);
});

test("whoever types too much is told to wait, and then that there is room", () => {
  pass(0);
  attach(1);
  expect(session.write(new Uint8Array(70_000))).toBe(false);
  for (let position = 8_192; position <= 65_536; position += 8_192) {
    say(1, { kind: "accepted", writer: 7, position });
  }
  expect(told.filter((what) => what === "room")).toEqual(["room"]);
  expect(session.pendingBytes).toBe(70_000 - 65_536);
});

test("what is not accepted for a while is typed again, until it is", () => {
  pass(0);
  attach(1);
  session.write(bytes("hello"));
  const typed = () => said(1).filter(({ kind }) => kind === "input");
  const whole = { kind: "input", position: 0, bytes: bytes("hello"), accepted: 0 };
  expect(typed()).toEqual([whole]);
  pass(3_000);
  expect(typed().length).toBeGreaterThanOrEqual(2);
  expect(typed().at(-1)).toEqual(whole);
  say(1, { kind: "accepted", writer: 7, position: 2 });
  pass(3_000);
  const rest = { kind: "input", position: 2, bytes: bytes("llo"), accepted: 2 };
  expect(typed().at(-1)).toEqual(rest);
  say(1, { kind: "accepted", writer: 7, position: 5 });
  const before = typed().length;
  pass(5_000);
  expect(typed()).toHaveLength(before);
});

test("a runner that takes nothing and says nothing is left, and looked for again", () => {
  pass(0);
  attach(1);
  session.write(bytes("hello"));
  pass(30_000);
  expect(said(1).filter(({ kind }) => kind === "input").length).toBeLessThan(15);
  expect(told).toContain("disconnected");
  expect(openTries().length).toBeGreaterThan(0);
});

test("a runner that is found again has as much time to be heard as the first one", () => {
  pass(0);
  attach(1);
  session.write(bytes("hello"));
  while (!told.includes("disconnected")) pass(10);
  const id = Math.max(...openTries());
  attach(id);
  pass(5_000);
  expect(told.filter((what) => what === "disconnected")).toHaveLength(1);
  expect(openTries()).toContain(id);
});

test("while something is accepted now and then, nothing is typed twice", () => {
  pass(0);
  attach(1);
  session.write(bytes("0123456789"));
  for (let position = 1; position <= 10; position++) {
    pass(700);
    say(1, { kind: "accepted", writer: 7, position });
  }
  expect(said(1).filter(({ kind }) => kind === "input")).toHaveLength(1);
});

test("a closed session lets go of everything and does nothing more", () => {
  session = start(12);
  pass(20);
  session.close();
  expect(openTries()).toEqual([]);
  const before = shell.tries.size;
  pass(1_000);
  attach(1);
  expect(shell.tries.size).toBe(before);
  expect(told).toEqual([]);
});

test("after a runner was hung up on, the rest of what it said does not count", () => {
  pass(0);
  session.opened(1, shell.nowMs);
  const pieces = [{ kind: "notPrimary" }, { kind: "attached", life: 1, position: 0 }] as const;
  const both = pieces.flatMap((message) => [...frame(encodeConsoleMessage(message))]);
  session.received(1, Uint8Array.from(both), shell.nowMs);
  expect(session.connected).toBe(false);
});

test("a guest that was booted anew is shown from its first byte on, and gets nothing typed to the one before", () => {
  pass(0);
  attach(1);
  output(1, 0, "old guest");
  session.write(bytes("lost"));
  session.closed(1, shell.nowMs);
  pass(0);
  attach(2, 9, 4);
  output(2, 9, "from the middle");
  expect(said(2).at(-1)).toEqual({ kind: "attach", writer: 7, position: 0 });
  expect(session).toMatchObject({ connected: false, pendingBytes: 0, life: 4 });
  seen = "";
  say(2, { kind: "attached", life: 4, position: 0 });
  output(2, 0, "new guest");
  session.write(bytes("hi"));
  expect(seen).toBe("new guest");
  expect(said(2).at(-1)).toMatchObject({ kind: "input", position: 0, bytes: bytes("hi") });
  expect(told).toEqual(["connected 0", "disconnected", "life 4", "connected 1"]);
});

test("a runner that shows an earlier life is left", () => {
  pass(0);
  attach(1, 0, 4);
  session.closed(1, shell.nowMs);
  pass(0);
  attach(2, 0, 1);
  expect(session.connected).toBe(false);
  expect(openTries()).not.toContain(2);
});
