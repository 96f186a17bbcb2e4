import { expect, test } from "@jest/globals";
import { FakeUart } from "../../../test/fake-uart.ts";
import { fifoBytes, SerialPort } from "./serial-port.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const line = "0123456789abcdefghijklmnopqrstuvwxyz";

function port(text: string): { port: SerialPort; uart: FakeUart } {
  const made = new SerialPort(64);
  made.queue(bytes(text));
  return { port: made, uart: new FakeUart(made) };
}

test("the guest is given a queue full at a time, and more only when it has read that", () => {
  const { port: serial, uart } = port(line);
  serial.feed(uart);
  expect(uart.read(fifoBytes - 1)).toBe(line.slice(0, fifoBytes - 1));
  expect(serial.canFeed).toBe(false);
  serial.feed(uart);
  expect(uart.readAll()).toBe(line.charAt(fifoBytes - 1));
  expect(serial.canFeed).toBe(true);
  serial.feed(uart);
  expect(uart.readAll()).toBe(line.slice(fifoBytes, 2 * fifoBytes));
});

test("reading an empty port, or the divisor, takes nothing", () => {
  const { port: serial, uart } = port("ab");
  uart.read(1);
  serial.feed(uart);
  uart.lineControl = 0x80;
  serial.onDataRead(uart);
  uart.lineControl = 0;
  expect(uart.readAll()).toBe("ab");
  expect(() => serial.feed(uart)).not.toThrow();
});

test("in loopback mode the guest reads what it wrote, up to a queue full", () => {
  const { port: serial, uart } = port("");
  uart.modemControl = 0x10;
  for (const byte of bytes(line)) uart.write(byte);
  expect(uart.readAll()).toBe(line.slice(0, fifoBytes));
  expect(() => serial.feed(uart)).not.toThrow();
});

test("a port that has lost count of what v86 holds stops the machine", () => {
  const { port: serial, uart } = port("");
  uart.receive(1);
  expect(() => serial.feed(uart)).toThrow("line status 1 with 0 unread bytes");
});

test("what does not fit is not taken", () => {
  const serial = new SerialPort(4);
  expect(serial.queue(bytes("abcdef"))).toBe(4);
  expect(serial.room).toBe(0);
});
