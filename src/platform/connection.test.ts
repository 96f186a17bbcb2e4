import { EventEmitter } from "node:events";
import type { TLSSocket } from "node:tls";
import { expect, test } from "@jest/globals";
import { frame } from "../shared/framing.ts";
import { Connection } from "./connection.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;

  setNoDelay(): void {}

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }

  fail(code: string): void {
    this.emit("error", Object.assign(new Error(`failed: ${code}`), { code }));
    this.destroy();
  }
}

test.each([
  ["ECONNRESET", null],
  ["EPIPE", null],
  ["ETIMEDOUT", null],
  ["EPROTO", "failed: EPROTO"],
  ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", expect.stringContaining("BAD_RECORD_MAC")],
])(
  "a connection that ends with %s is the peer's fault only where it said something wrong",
  (code, problem) => {
    const { socket, closed } = open(() => {});
    socket.fail(code);
    expect(closed).toEqual([problem]);
  },
);

test("a message that cannot be understood ends the connection, and says why", () => {
  const { socket, closed } = open(() => {
    throw new Error("48 is no kind of message");
  });
  socket.emit("data", frame(new Uint8Array([48])));
  expect(closed).toEqual(["48 is no kind of message"]);
});

test("the other side's end is the end, and nobody's fault", () => {
  const { socket, closed } = open(() => {});
  socket.emit("end");
  expect(closed).toEqual([null]);
});

function open(onMessage: () => void) {
  const socket = new FakeSocket();
  const closed: (string | null)[] = [];
  // SAFETY: the connection uses only what the fake one has.
  new Connection(socket as unknown as TLSSocket, 1_000, {
    onMessage,
    onClosed: (problem) => closed.push(problem),
  });
  return { socket, closed };
}
