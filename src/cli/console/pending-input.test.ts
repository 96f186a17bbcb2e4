import { expect, test } from "@jest/globals";
import { PendingInput } from "./pending-input.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);

test("what was typed is sent once, with its position", () => {
  const input = new PendingInput();
  input.add(bytes("abc"));
  expect(input.take()).toEqual({ accepted: 0, position: 0, bytes: bytes("abc") });
  expect(input.take()).toBeNull();
  input.add(bytes("d"));
  expect(input.take()).toEqual({ accepted: 0, position: 3, bytes: bytes("d") });
});

test("after a reconnect exactly what was not accepted is sent again", () => {
  const input = new PendingInput();
  input.add(bytes("abcdef"));
  input.take();
  input.accepted(2);
  input.resendFromAccepted();
  const again = input.take();
  expect(again?.position).toBe(2);
  expect(text(again?.bytes ?? bytes(""))).toBe("cdef");
  input.accepted(6);
  expect(input.pendingBytes).toBe(0);
  input.resendFromAccepted();
  expect(input.take()).toBeNull();
});

test("a new primary that knows more than was accepted before moves the position on", () => {
  const input = new PendingInput();
  input.add(bytes("abcdef"));
  input.take();
  input.resendFromAccepted();
  input.accepted(4);
  expect(input.take()).toEqual({ accepted: 4, position: 4, bytes: bytes("ef") });
});

test("no more is under way than a runner keeps, and the rest follows in order", () => {
  const input = new PendingInput();
  const long = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  input.add(long);
  expect(input.hasRoom).toBe(false);
  const received: number[] = [];
  while (input.pendingBytes > 0) {
    let inFlight = 0;
    for (let piece = input.take(); piece !== null; piece = input.take()) {
      expect(piece.position).toBe(received.length);
      received.push(...piece.bytes);
      inFlight += piece.bytes.length;
    }
    expect(inFlight).toBeGreaterThan(0);
    expect(inFlight).toBeLessThanOrEqual(8192);
    input.accepted(received.length);
  }
  expect(received).toEqual([...long]);
  expect(input.hasRoom).toBe(true);
});

test("input that was never typed cannot be accepted", () => {
  const input = new PendingInput();
  input.add(bytes("a"));
  expect(() => input.accepted(2)).toThrow(/only 1 was typed/);
});
