import { expect, test } from "@jest/globals";
import { FakeUart } from "../../../../test/fake-uart.ts";
import { ByteReader, ByteWriter } from "../../../shared/bytes.ts";
import { crc32c } from "../../../shared/crc32c.ts";
import {
  consoleHistoryBytes,
  consoleInputBytesMax,
  consoleWritersMax,
} from "../../../shared/limits.ts";
import { ConsoleDevice } from "./device.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const print = (device: ConsoleDevice, text: string) => {
  for (const byte of bytes(text)) device.onOutputByte(byte);
  return device.takeOutput();
};
const type = (device: ConsoleDevice, writer: number, position: number, text: string) =>
  device.input({ kind: "console", writer, position, bytes: bytes(text) });

/** All that the guest would read. */
function read(device: ConsoleDevice): string {
  const uart = new FakeUart(device.port);
  let text = "";
  while (device.port.canFeed) {
    device.port.feed(uart);
    text += uart.readAll();
  }
  return text;
}

test("an output says where it begins in all that was ever printed", () => {
  const device = new ConsoleDevice();
  expect(device.takeOutput()).toBeNull();
  expect(print(device, "one")).toMatchObject({ position: 0, bytes: bytes("one") });
  expect(print(device, "two!")).toMatchObject({ position: 3, bytes: bytes("two!") });
  expect(device.checksum).toBe(crc32c(bytes("onetwo!")));
});

test("the history is the end of what was printed, over the bound too", () => {
  const device = new ConsoleDevice();
  print(device, "x".repeat(consoleHistoryBytes));
  print(device, "end");
  const history = device.history();
  expect(history.position).toBe(3);
  expect(history.bytes).toHaveLength(consoleHistoryBytes);
  expect(new TextDecoder().decode(history.bytes.subarray(-4))).toBe("xend");
});

test.each([
  ["sent twice", 0, "hello", "hello"],
  ["partly new", 3, "lo world", "hello world"],
  ["new", 5, " world", "hello world"],
  ["after a gap, of which it takes none", 9, "later", "hello"],
])("bytes that are %s reach the guest once and in order", (_, position, text, expected) => {
  const device = new ConsoleDevice();
  type(device, 1, 0, "hello");
  type(device, 1, position, text);
  expect(device.writerPosition(1)).toBe(expected.length);
  expect(read(device)).toBe(expected);
});

test("a writer that the guest has forgotten continues where it was", () => {
  const device = new ConsoleDevice();
  type(device, 1, 0, "hello");
  for (let writer = 2; writer < 2 + consoleWritersMax; writer++) type(device, writer, 0, "x");
  expect(device.writerPosition(1)).toBe(0);
  type(device, 1, 5, " world");
  type(device, 1, 5, " world");
  expect(device.writerPosition(1)).toBe(11);
  expect(read(device)).toBe(`hello${"x".repeat(consoleWritersMax)} world`);
});

test("a position counts for one writer only, and the oldest writer is forgotten", () => {
  const device = new ConsoleDevice();
  for (let writer = 0; writer <= consoleWritersMax; writer++) type(device, writer, 0, "ab");
  expect(device.writerPosition(0)).toBe(0);
  expect(device.writerPosition(1)).toBe(2);
  expect(device.writerPosition(consoleWritersMax)).toBe(2);
});

test("input beyond the bound is not taken, and what comes after it waits for it", () => {
  const device = new ConsoleDevice();
  const text = "y".repeat(consoleInputBytesMax + 5);
  type(device, 1, 0, text);
  expect(device.port.room).toBe(0);
  expect(device.writerPosition(1)).toBe(consoleInputBytesMax);
  expect(read(device)).toHaveLength(consoleInputBytesMax);
  type(device, 1, text.length, "after");
  expect(device.port.canFeed).toBe(false);
  type(device, 1, 0, text);
  type(device, 1, text.length, "after");
  expect(read(device)).toBe("yyyyyafter");
});

test("a restored console continues in every respect, and saves the same bytes", () => {
  const device = new ConsoleDevice();
  print(device, "printed");
  type(device, 5, 0, "a line that is longer than the queue of a serial port");
  const uart = new FakeUart(device.port);
  device.port.feed(uart);
  uart.read(3);
  const writer = new ByteWriter();
  device.save(writer);
  const saved = writer.finish();

  const restored = new ConsoleDevice();
  const freshUart = new FakeUart(restored.port);
  restored.restore(new ByteReader(saved), freshUart);
  const again = new ByteWriter();
  restored.save(again);
  expect(again.finish()).toEqual(saved);
  expect(restored.history()).toEqual(device.history());
  expect(restored.writerPosition(5)).toBe(device.writerPosition(5));
  expect(freshUart.readAll()).toBe(uart.readAll());
  expect(read(restored)).toBe(read(device));
});
