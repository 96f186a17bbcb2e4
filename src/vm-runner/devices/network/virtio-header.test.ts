import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { features, headerBytes, receiveHeader, sentFrame } from "./virtio-header.ts";

const needsChecksum = 1;

function sent(
  frame: Uint8Array,
  fields: { flags?: number; gso?: number; start?: number; offset?: number } = {},
) {
  const { flags = 0, gso = 0, start = 0, offset = 0 } = fields;
  const bytes = new Uint8Array(headerBytes + frame.length);
  bytes.set([flags, gso, 0, 0, 0, 0, start & 0xff, start >> 8, offset & 0xff, offset >> 8]);
  bytes.set(frame, headerBytes);
  return bytes;
}

const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString("hex");

test.each([
  ["nothing", 0, "000000000000000000000100"],
  [
    "that a checksum may be missing in what it sends",
    features.checksum,
    "000000000000000000000100",
  ],
  ["that it is told that checksums are right", features.guestChecksum, "020000000000000000000100"],
])("a driver that has accepted %s gets its header", (_, accepted, expected) => {
  expect(hex(receiveHeader(accepted))).toBe(expected);
});

// The example of RFC 1071, section 3: the words sum to 0xddf2.
const rfc1071 = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);

test.each<[string, Uint8Array, { start: number; offset: number }, string]>([
  [
    "RFC 1071's example",
    Uint8Array.of(...rfc1071, 0, 0),
    { start: 0, offset: 8 },
    "0001f203f4f5f6f7220d",
  ],
  ["an odd length", Uint8Array.of(0, 0, 0x12, 0x34, 0x56), { start: 0, offset: 0 }, "97cb123456"],
  [
    "nothing before the start",
    Uint8Array.of(0xff, 0xff, 0x12, 0x34, 0, 0),
    { start: 2, offset: 2 },
    "ffff1234edcb",
  ],
  [
    "a pseudo header's sum in its place",
    Uint8Array.of(0x10, 0x00, 0x01, 0x01),
    { start: 0, offset: 0 },
    "eefe0101",
  ],
  [
    "a sum that gives zero, which is written as all ones",
    Uint8Array.of(0xff, 0xff, 0, 0),
    { start: 0, offset: 2 },
    "ffffffff",
  ],
])("the checksum is completed: %s", (_, frame, place, expected) => {
  expect(hex(sentFrame(sent(frame, { flags: needsChecksum, ...place })))).toBe(expected);
});

test("a frame whose checksum is the sender's is not touched", () => {
  expect(hex(sentFrame(sent(rfc1071, { start: 0, offset: 0 })))).toBe(hex(rfc1071));
});

test.each<[string, Uint8Array]>([
  ["a header that is cut off", new Uint8Array(headerBytes - 1)],
  ["a segment that the card should cut", sent(rfc1071, { gso: 1 })],
  ["a checksum behind the end", sent(rfc1071, { flags: needsChecksum, start: 1, offset: 6 })],
  [
    "a checksum far behind the end",
    sent(rfc1071, { flags: needsChecksum, start: 0xffff, offset: 0xffff }),
  ],
  ["no frame at all to be summed", sent(new Uint8Array(0), { flags: needsChecksum })],
])("%s makes no frame", (_, bytes) => {
  expect(sentFrame(bytes)).toBeNull();
});

test("whatever was sent then sums to all ones with its pseudo header, as its receiver checks", () => {
  const frames = fc.uint8Array({ minLength: 2, maxLength: 1_600 });
  fc.assert(
    fc.property(frames, fc.nat(), fc.nat(), (bytes, a, b) => {
      const start = a % (bytes.length - 1);
      const offset = 2 * Math.floor((b % (bytes.length - 1 - start)) / 2);
      const frame = sentFrame(sent(bytes, { flags: needsChecksum, start, offset }));
      const pseudoHeader = bytes.subarray(start + offset, start + offset + 2);
      const covered = frame?.subarray(start) ?? [];
      expect(onesSum(Uint8Array.of(...pseudoHeader, ...covered))).toBe(0xffff);
    }),
  );
});

/** The Internet checksum's sum in the plainest way: with the carry added at every word. */
function onesSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}
