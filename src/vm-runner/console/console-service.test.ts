import { expect, test } from "@jest/globals";
import {
  type ConsoleMessage,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../shared/protocol/console.ts";
import type { ConsoleInput } from "../replay/log-entry.ts";
import { ConsoleReaderError, ConsoleService, type ReaderConnection } from "./console-service.ts";

class FakeConnection implements ReaderConnection {
  readonly told: ConsoleMessage[] = [];
  queuedBytes = 0;
  ended = false;

  send(message: Uint8Array): void {
    this.told.push(decodeConsoleMessage(message));
  }

  end(): void {
    this.ended = true;
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const printed = (position: number, text: string) => {
  return { kind: "console", position, bytes: bytes(text) } as const;
};

function newService() {
  const inputs: ConsoleInput[] = [];
  const service = new ConsoleService({ onInput: (input) => inputs.push(input) });
  const connect = () => {
    const connection = new FakeConnection();
    const reader = service.accept(connection);
    const say = (message: ConsoleMessage) => service.receive(reader, encodeConsoleMessage(message));
    return { connection, reader, say };
  };
  return { service, inputs, connect };
}

test("a runner that is not the primary shows nothing, takes nothing and says so", () => {
  const { service, inputs, connect } = newService();
  service.remember(printed(0, "secret"));
  for (const message of [
    { kind: "attach", writer: 1, position: null },
    { kind: "input", position: 0, bytes: bytes("x"), accepted: 0 },
  ] as const) {
    const { connection, say } = connect();
    say(message);
    expect(connection).toMatchObject({ told: [{ kind: "notPrimary" }], ended: true });
  }
  expect(inputs).toEqual([]);
});

test("a new primary shows what it remembered, from the position that the reader asks for", () => {
  const { service, connect } = newService();
  service.remember(printed(0, "hello"));
  service.becomePrimary(1);
  const { connection, say } = connect();
  say({ kind: "attach", writer: 1, position: 3 });
  expect(connection.told).toEqual([
    { kind: "attached", life: 1, position: 3 },
    { kind: "output", position: 3, bytes: bytes("lo") },
  ]);
});

test("what leaves goes to all who are attached, and an acceptance only to its writer", () => {
  const { service, inputs, connect } = newService();
  service.becomePrimary(1);
  const [one, two, silent] = [connect(), connect(), connect()];
  one.say({ kind: "attach", writer: 1, position: null });
  two.say({ kind: "attach", writer: 2, position: null });
  one.say({ kind: "input", position: 3, bytes: bytes("a"), accepted: 2 });
  expect(inputs).toEqual([
    { kind: "console", writer: 1, position: 3, bytes: bytes("a"), accepted: 2 },
  ]);
  service.release(printed(0, "a"));
  service.release({ kind: "accepted", writer: 1, position: 1 });
  const output = { kind: "output", position: 0, bytes: bytes("a") };
  const attached = { kind: "attached", life: 1, position: 0 };
  const accepted = { kind: "accepted", writer: 1, position: 1 };
  expect(one.connection.told).toEqual([attached, output, accepted]);
  expect(two.connection.told).toEqual([attached, output]);
  expect(silent.connection.told).toEqual([]);
});

test("a primary that hands over sends its readers to the other half", () => {
  const { service, connect } = newService();
  service.becomePrimary(1);
  const { connection, say } = connect();
  say({ kind: "attach", writer: 1, position: null });
  service.resign();
  expect(connection.told.at(-1)).toEqual({ kind: "notPrimary" });
  expect(connection.ended).toBe(true);
});

test("a reader that does not read, or is one too many, is hung up on", () => {
  const { service, connect } = newService();
  service.becomePrimary(1);
  const slow = connect();
  slow.say({ kind: "attach", writer: 1, position: null });
  slow.connection.queuedBytes = 5 * 1024 * 1024;
  service.release(printed(0, "a"));
  expect(slow.connection.ended).toBe(true);
  const others = Array.from({ length: 65 }, connect);
  expect(others.map(({ connection }) => connection.ended).indexOf(true)).toBe(64);
});

test("a reader that left is told nothing more, and its place is free", () => {
  const { service, connect } = newService();
  service.becomePrimary(1);
  const { connection, reader, say } = connect();
  say({ kind: "attach", writer: 1, position: null });
  service.leave(reader);
  service.release(printed(0, "a"));
  expect(connection.told).toEqual([{ kind: "attached", life: 1, position: 0 }]);
});

test.each<[string, ConsoleMessage]>([
  ["types before it attached", { kind: "input", position: 0, bytes: bytes("a"), accepted: 0 }],
  ["says what only a runner says", { kind: "attached", life: 1, position: 0 }],
])("a reader that %s breaks the protocol", (_, message) => {
  const { service, connect } = newService();
  service.becomePrimary(1);
  expect(() => connect().say(message)).toThrow(ConsoleReaderError);
});

test("what concerns the guest's network is not the console's", () => {
  const { service, connect } = newService();
  service.becomePrimary(1);
  const { connection, say } = connect();
  say({ kind: "attach", writer: 1, position: null });
  for (const output of [
    { kind: "egress", first: 0, frames: [bytes("a frame of the guest")] },
    { kind: "ingressAccepted", gateway: 1, next: 9 },
  ] as const) {
    service.remember(output);
    service.release(output);
  }
  expect(connection.told).toEqual([{ kind: "attached", life: 1, position: 0 }]);
});
