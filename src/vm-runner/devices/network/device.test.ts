import { expect, test } from "@jest/globals";
import { FakeCard } from "../../../../test/fake-card.ts";
import { ByteReader, ByteWriter } from "../../../shared/bytes.ts";
import {
  egressPerStepBytesMax,
  egressPerStepFramesMax,
  frameBytesMax,
  frameBytesMin,
} from "../../../shared/limits.ts";
import { NetworkDevice } from "./device.ts";
import { features, headerBytes } from "./virtio-header.ts";

/** A frame that can be told from others. */
const frame = (mark: number, length = 60) => new Uint8Array(length).fill(mark);
const frames = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => frame(first + i));
const bufferBytes = headerBytes + frameBytesMax;

function post(card: FakeCard, count: number, length = bufferBytes): number[] {
  return Array.from({ length: count }, () => card.receive.offer({ length })[0] ?? 0);
}

function give(
  device: NetworkDevice,
  card: FakeCard,
  gateway: number,
  first: number,
  given: readonly Uint8Array[],
) {
  device.input({ kind: "ingress", gateway, first, frames: given }, card);
}

/** Marks of the frames in these buffers of the guest. */
const marks = (card: FakeCard, addresses: readonly number[]) =>
  addresses.map((address) => card.memory.bytes[address + headerBytes]);

function send(card: FakeCard, content: Uint8Array, header = new Uint8Array(headerBytes)): void {
  card.transmit.offer({ bytes: header }, { bytes: content });
}

test("the frames of an entry reach the guest in order, with one interrupt", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  card.acceptedFeatures = features.guestChecksum;
  const buffers = post(card, 4);
  expect(device.room(card)).toBe(4);
  give(device, card, 1, 100, frames(1, 3));
  expect(marks(card, buffers)).toEqual([1, 2, 3, 0]);
  expect(card.memory.at(buffers[0] ?? 0, headerBytes + 1)).toEqual(
    Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1),
  );
  expect(card.receive.lastUsed(3).map(({ written }) => written)).toEqual([72, 72, 72]);
  expect(card.interrupts).toBe(1);
  expect(device.room(card)).toBe(1);
  expect(device.ingress).toEqual({ gateway: 1, next: 103 });
});

test("a driver that polls is not interrupted", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  post(card, 1);
  card.receive.wantsNoInterrupt = true;
  give(device, card, 1, 0, frames(1, 1));
  expect(card.interrupts).toBe(0);
  expect(card.receive.usedIndex).toBe(1);
});

test.each([
  ["sent again", 1, 0, 3, [1, 2, 3], 13, 3],
  ["partly sent again", 1, 2, 3, [1, 2, 3, 4, 5], 15, 1],
  ["after a gap", 1, 7, 1, [1, 2, 3, 8], 18, 0],
  ["of another gateway", 2, 0, 2, [1, 2, 3, 1, 2], 12, 0],
])("frames %s reach the guest once", (_, gateway, offset, count, expected, next, repeated) => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  const buffers = post(card, 6);
  give(device, card, 1, 10, frames(1, 3));
  give(device, card, gateway, 10 + offset, frames(1 + offset, count));
  expect(marks(card, buffers).filter((mark) => mark !== 0)).toEqual(expected);
  expect(device.ingress).toEqual({ gateway, next });
  expect(device.counters.repeated).toBe(repeated);
});

test("frames beyond the buffers are lost, and their numbers are passed", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  post(card, 2);
  give(device, card, 1, 0, frames(1, 5));
  expect(device.counters.withoutBuffer).toBe(3);
  expect(device.ingress).toEqual({ gateway: 1, next: 5 });
});

test("a driver that is not ready gets nothing, and nothing of its memory is read", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  post(card, 2);
  card.isDriverReady = false;
  const before = card.memory.bytes.slice();
  expect(device.room(card)).toBe(0);
  give(device, card, 1, 0, frames(1, 2));
  device.transmit(card);
  expect(card.memory.bytes).toEqual(before);
  expect(card.interrupts).toBe(0);
  expect(device.counters.withoutBuffer).toBe(2);
});

test("a frame that is longer than the driver's buffer is lost, and the buffer goes back empty", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  const [short = 0, long = 0] = [...post(card, 1, headerBytes + 59), ...post(card, 1)];
  give(device, card, 1, 0, frames(1, 2));
  expect(marks(card, [short, long])).toEqual([0, 2]);
  expect(card.receive.lastUsed(2)).toEqual([
    { head: 0, written: 0 },
    { head: 1, written: 72 },
  ]);
  expect(device.counters.withoutBuffer).toBe(1);
});

test.each([
  ["shorter than an Ethernet header", frameBytesMin - 1, 1],
  ["the shortest", frameBytesMin, 0],
  ["the longest", frameBytesMax, 0],
  ["longer than the longest", frameBytesMax + 1, 1],
])("a frame %s, either way", (_, length, malformed) => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  const [buffer = 0] = post(card, 1);
  give(device, card, 1, 0, [frame(7, length)]);
  expect(device.counters.malformedIngress).toBe(malformed);
  expect(marks(card, [buffer])).toEqual([malformed === 1 ? 0 : 7]);
  expect(device.ingress).toEqual({ gateway: 1, next: 1 });
  send(card, frame(7, length));
  device.transmit(card);
  expect(device.counters.malformedEgress).toBe(malformed);
  expect(device.takeOutput()?.frames.length ?? 0).toBe(1 - malformed);
  expect(card.transmit.usedIndex).toBe(1);
});

test("what the guest sends in a step is one output, numbered over all steps", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  expect(device.takeOutput()).toBeNull();
  send(card, frame(1));
  device.transmit(card);
  send(card, frame(2));
  device.transmit(card);
  expect(device.takeOutput()).toEqual({ kind: "egress", first: 0, frames: [frame(1), frame(2)] });
  send(card, frame(3));
  device.transmit(card);
  const before = device.checksum;
  expect(device.takeOutput()).toMatchObject({ first: 2, frames: [frame(3)] });
  expect(device.checksum).not.toBe(before);
  expect(card.interrupts).toBe(3);
});

test("what is above the bound of a step goes out in the next one", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  let chains = 0;
  while (!device.canTransmit) {
    for (let i = 0; i < 4; i++) send(card, frame(chains++ & 0xff));
    device.transmit(card);
    expect(chains).toBeLessThan(2 * egressPerStepFramesMax);
  }
  expect(device.takeOutput()?.frames).toHaveLength(egressPerStepFramesMax);
  device.transmit(card);
  expect(device.canTransmit).toBe(false);
  expect(device.takeOutput()).toMatchObject({ first: egressPerStepFramesMax });
  expect(card.transmit.usedIndex).toBe(chains);
});

test("so does what is above the bound in bytes", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  while (!device.canTransmit) {
    for (let i = 0; i < 4; i++) send(card, frame(i, frameBytesMax));
    device.transmit(card);
  }
  const taken = device.takeOutput()?.frames ?? [];
  const bytes = taken.reduce((total, { length }) => total + length, 0);
  expect(bytes).toBeGreaterThanOrEqual(egressPerStepBytesMax);
  expect(bytes).toBeLessThan(egressPerStepBytesMax + frameBytesMax);
});

test("nonsense that the driver makes available costs it a chain, and is bounded like frames", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  for (let i = 0; i < egressPerStepFramesMax; i++) {
    card.transmit.makeAvailable(0xffff);
    device.transmit(card);
  }
  expect(device.counters.malformedEgress).toBe(egressPerStepFramesMax);
  card.transmit.makeAvailable(0xffff);
  device.transmit(card);
  expect(device.counters.malformedEgress).toBe(egressPerStepFramesMax);
  expect(device.canTransmit).toBe(true);
  expect(device.takeOutput()).toBeNull();
});

test("a driver that resets the card is not served any more", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  for (let i = 0; i < egressPerStepFramesMax / 4 + 1; i++) {
    for (let j = 0; j < 4; j++) send(card, frame(j));
    device.transmit(card);
  }
  expect(device.canTransmit).toBe(true);
  card.isDriverReady = false;
  device.takeOutput();
  device.transmit(card);
  expect(device.canTransmit).toBe(false);
  expect(device.takeOutput()).toBeNull();
});

test("there is an announcement from the start input on, with the address once it is known", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  expect(device.announcement).toBeNull();
  device.start(Uint8Array.of(2, 0, 0, 0, 0, 1));
  expect(device.announcement?.subarray(12, 14)).toEqual(Uint8Array.of(0x80, 0x35));
  const packet = frame(0);
  packet.set([8, 0], 12);
  packet.set([10, 0, 0, 7], 26);
  send(card, packet);
  device.transmit(card);
  expect(device.announcement?.subarray(12, 14)).toEqual(Uint8Array.of(8, 6));
});

test("a restored card continues in every respect, and saves the same bytes", () => {
  const [device, card] = [new NetworkDevice(), new FakeCard()];
  device.start(Uint8Array.of(2, 0, 0, 0, 0, 1));
  post(card, 2);
  give(device, card, 0xffff_ffff, 2 ** 40, [frame(1), frame(2, 1), frame(3), frame(4)]);
  give(device, card, 0xffff_ffff, 2 ** 40, [frame(1)]);
  const packet = frame(0);
  packet.set([8, 0], 12);
  packet.set([10, 0, 0, 7], 26);
  send(card, packet);
  send(card, frame(1, 1));
  device.transmit(card);
  device.takeOutput();
  const restored = new NetworkDevice();
  const saved = save(device);
  const reader = new ByteReader(saved);
  restored.restore(reader);
  expect(reader.remaining).toBe(0);
  expect(save(restored)).toEqual(saved);
  for (const name of ["ingress", "announcement", "checksum", "counters", "canTransmit"] as const) {
    expect(restored[name]).toEqual(device[name]);
  }
  expect(restored.counters).toEqual({
    malformedIngress: 1,
    malformedEgress: 1,
    withoutBuffer: 1,
    repeated: 1,
  });
  send(card, frame(9));
  restored.transmit(card);
  expect(restored.takeOutput()).toMatchObject({ first: 1 });
});

function save(device: NetworkDevice): Uint8Array {
  const writer = new ByteWriter();
  device.save(writer);
  return writer.finish();
}
