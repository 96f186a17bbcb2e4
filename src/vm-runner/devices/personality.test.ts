import { expect, test } from "@jest/globals";
import { FakeUart } from "../../../test/fake-uart.ts";
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { PersonalityDevice } from "./personality.ts";

const seed = new Uint8Array(32).fill(9);
const answer = /^personality seed=([0-9a-f]{64})\n$/;

function write(device: PersonalityDevice, text: string): void {
  for (const byte of new TextEncoder().encode(text)) device.onOutputByte(byte);
}

function read(device: PersonalityDevice): string {
  const uart = new FakeUart(device.port);
  let text = "";
  while (device.port.canFeed) {
    device.port.feed(uart);
    text += uart.readAll();
  }
  return text;
}

test.each([
  ["asks before the start input", ["personality?\n", seed]],
  ["asks after the start input", [seed, "personality?\n"]],
  ["asks after noise and with a carriage return", [seed, "noise\nmore personality?\r\n"]],
])("a guest that %s is told its seed, which is not the machine's", (_, events) => {
  const device = new PersonalityDevice();
  for (const event of events) {
    if (typeof event === "string") write(device, event);
    else device.start(event);
  }
  const told = answer.exec(read(device))?.[1];
  expect(told).toBeDefined();
  expect(told).not.toBe(Buffer.from(seed).toString("hex"));
  expect(device.isAwaited).toBe(false);
});

test("the shared boot ends when the guest has asked, and not when it wrote something else", () => {
  const device = new PersonalityDevice();
  write(device, "personality!\npersonality?");
  expect(device.isAwaited).toBe(false);
  write(device, "\n");
  expect(device.isAwaited).toBe(true);
  expect(read(device)).toBe("");
});

test("a device restored while the guest waits answers as the saved one does", () => {
  const device = new PersonalityDevice();
  write(device, "personality?\npers");
  const writer = new ByteWriter();
  device.save(writer);
  const restored = new PersonalityDevice();
  restored.restore(new ByteReader(writer.finish()), new FakeUart(restored.port));
  expect(restored.isAwaited).toBe(true);
  device.start(seed);
  restored.start(seed);
  expect(read(restored)).toBe(read(device));
});
