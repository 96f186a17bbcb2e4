import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { crc32c } from "../../shared/crc32c.ts";
import {
  batchBytesMax,
  frameBytesMax,
  ingressPerEntryBytesMax,
  ingressPerEntryFramesMax,
} from "../../shared/limits.ts";
import type { LogEntry, LogInput } from "../replay/log-entry.ts";
import {
  BatchEncoder,
  CodecError,
  type CodecErrorCode,
  decodeBatch,
  entryInputsMax,
  frameBytes,
  hasWindow,
  signOfLife,
} from "./codec.ts";

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const position = fc.nat(2 ** 48);
const anyInput: fc.Arbitrary<LogInput> = fc.oneof(
  fc.record({
    kind: fc.constant("console" as const),
    writer: fc.nat(0xffff_ffff),
    position,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
  }),
  fc.record({
    kind: fc.constant("start" as const),
    seed: bytesOf(32),
    mac: bytesOf(6),
    wallClockMs: position,
  }),
  fc.constant<LogInput>({ kind: "snapshot" }),
  fc.record({ kind: fc.constant("stateHash" as const), snapshot: position, hash: bytesOf(32) }),
  fc.constant<LogInput>({ kind: "powerOff" }),
  fc.record({
    kind: fc.constant("ingress" as const),
    gateway: fc.nat(0xffff_ffff),
    first: position,
    frames: fc.array(fc.uint8Array({ minLength: 14, maxLength: 200 }), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
);
const anyChecks = fc.record({ all: fc.nat(0xffff_ffff), folded: bytesOf(12) });
const anyEntries = fc.record({
  first: fc.oneof(fc.nat(200), position),
  firstUs: position,
  steps: fc.array(
    fc.record({ deltaUs: fc.nat(3_000_000), inputs: fc.array(anyInput, { maxLength: 4 }) }),
    { minLength: 1, maxLength: 80 },
  ),
});

function entriesOf({
  first,
  firstUs,
  steps,
}: typeof anyEntries extends fc.Arbitrary<infer T> ? T : never) {
  let timeUs = firstUs;
  return steps.map(({ deltaUs, inputs }, i): LogEntry => {
    if (i > 0) timeUs += deltaUs;
    return { index: first + i, timeUs, inputs };
  });
}

function encode(entries: readonly LogEntry[], checks = { all: 9, folded: new Uint8Array(12) }) {
  const encoder = new BatchEncoder(entries[0]?.index ?? 0, checks);
  for (const entry of entries) {
    encoder.add({ entry, window: hasWindow(entry.index) ? entry.index % 1000 : null });
  }
  return encoder.finish();
}

function codeOf(bytes: Uint8Array): CodecErrorCode | null {
  try {
    decodeBatch(bytes);
    return null;
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
}

const checks = Array<number>(16).fill(0);

/** A frame around a payload given as numbers, with the right length and checksum. */
function framed(...payload: number[]): Uint8Array {
  return framedBytes(Uint8Array.from(payload));
}

function framedBytes(bytes: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint32(0, bytes.length, true);
  header.setUint32(4, crc32c(bytes), true);
  const frame = new Uint8Array(8 + bytes.length);
  frame.set(new Uint8Array(header.buffer));
  frame.set(bytes, 8);
  return frame;
}

test("what is decoded is what was encoded", () => {
  fc.assert(
    fc.property(anyEntries, anyChecks, (shape, checks) => {
      const entries = entriesOf(shape);
      const batch = encode(entries, checks);
      const decoded = decodeBatch(batch.bytes);
      expect(decoded.entries.map(({ entry }) => entry)).toEqual(entries);
      expect(decoded.checks).toEqual(checks);
      expect([decoded.first, decoded.timeUs]).toEqual([batch.first, batch.timeUs]);
      expect(frameBytes(batch.bytes)).toBe(batch.bytes.length);
      for (const { entry, window } of decoded.entries) {
        expect(window).toBe(hasWindow(entry.index) ? entry.index % 1000 : null);
      }
    }),
  );
});

test("a sign of life carries the next entry and the time, and no checksums of the state", () => {
  const { bytes } = signOfLife(70, 123_456);
  expect(decodeBatch(bytes)).toEqual({ first: 70, timeUs: 123_456, checks: null, entries: [] });
  expect(bytes.length).toBeLessThan(16);
});

test("a quiet step costs two bytes and its share of the batch", () => {
  const entries = Array.from({ length: 25 }, (_, i) => ({
    index: 100_001 + i,
    timeUs: 60_000_000 + 200 * i,
    inputs: [],
  }));
  expect(encode(entries).bytes.length / entries.length).toBeLessThan(4);
});

function ingress(count: number, bytes: number): LogInput {
  const frames = Array.from({ length: count }, () => new Uint8Array(bytes));
  return { kind: "ingress", gateway: 0xffff_ffff, first: 2 ** 40, frames };
}

test.each([1, 2, Math.floor(ingressPerEntryBytesMax / frameBytesMax)])(
  "%i full frames cost the log less than a twentieth more than their bytes, in a batch of their own",
  (count) => {
    // A year of a busy guest; with a window, and no other entry to share the head with.
    const index = 64 * 10 ** 9;
    const entry = { index, timeUs: 3e13, inputs: [ingress(count, frameBytesMax)] };
    const { length } = encode([entry]).bytes;
    expect(length / (count * frameBytesMax)).toBeLessThan(1.05);
    expect(length - count * frameBytesMax).toBeLessThanOrEqual(60 + 2 * count);
  },
);

test("the largest entry finds room in any batch that is not closed", () => {
  const inputs: LogInput[] = [ingress(ingressPerEntryFramesMax, 1_024)];
  const bytes = new Uint8Array(256).fill(1);
  const typed: LogInput = { kind: "console", writer: 0xffff_ffff, position: 2 ** 50, bytes };
  while (inputs.length < entryInputsMax) inputs.push(typed);
  const encoder = new BatchEncoder(1, { all: 9, folded: new Uint8Array(12) });
  let count = 0;
  for (; encoder.hasRoom; count++) {
    const entry = { index: 1 + count, timeUs: 2 ** 50, inputs };
    encoder.add({ entry, window: hasWindow(entry.index) ? 1 : null });
  }
  const batch = encoder.finish();
  expect(count).toBeGreaterThan(1);
  expect(batch.bytes.length).toBeLessThanOrEqual(batchBytesMax);
  expect(decodeBatch(batch.bytes).entries).toHaveLength(count);
});

test.each<[string, LogInput, string]>([
  ["no frames", { kind: "ingress", gateway: 1, first: 0, frames: [] }, "0 frames"],
  ["too many frames", ingress(ingressPerEntryFramesMax + 1, 60), "65 frames"],
  ["too many bytes", ingress(44, 1_518), "66792 bytes of frames"],
  [
    "a frame that is too long",
    ingress(1, frameBytesMax + 1),
    `a frame of ${frameBytesMax + 1} bytes`,
  ],
  ["a frame that is too short", ingress(1, 13), "a frame of 13 bytes"],
])("an entry with %s is not written", (_, input, message) => {
  expect(() => encode([{ index: 1, timeUs: 5, inputs: [input] }])).toThrow(message);
});

/** A batch with one entry, whose only input brings frames: numbers from `first` on, so many. */
function received(first: number[], count: number[], ...frames: number[][]): Uint8Array {
  const head = [1, 1, 5, ...checks, 1, 1, 6, 1, 0, 0, 0];
  return framedBytes(Uint8Array.from([...head, ...first, ...count, ...frames.flat()]));
}

test.each<[string, Uint8Array, CodecErrorCode | null]>([
  ["one frame", received([0], [1], frameOf(14)), null],
  ["no frame", received([0], [0]), "count"],
  ["too many frames", received([0], [65], ...Array(65).fill(frameOf(14))), "count"],
  [
    "a frame above 53 bits",
    received([255, 255, 255, 255, 255, 255, 255, 15], [1], frameOf(14)),
    "count",
  ],
  ["a frame that is too short", received([0], [1], frameOf(13)), "length"],
  ["a frame that is too long", received([0], [1], frameOf(frameBytesMax + 1)), "length"],
  ["the longest frame", received([0], [1], frameOf(frameBytesMax)), null],
  ["a frame cut off", received([0], [1], frameOf(60).slice(0, -1)), "truncated"],
  ["fewer frames than announced", received([0], [2], frameOf(14)), "truncated"],
  ["too many bytes of frames", received([0], [44], ...Array(44).fill(frameOf(1_518))), "length"],
])("an input with %s is decoded or refused with its code", (_, bytes, code) => {
  expect(codeOf(bytes)).toBe(code);
});

function frameOf(length: number): number[] {
  return [
    (length % 0x80) + (length >= 0x80 ? 0x80 : 0),
    ...(length >= 0x80 ? [length >> 7] : []),
    ...Array(length).fill(1),
  ];
}

test("a batch cut at any byte is refused", () => {
  fc.assert(
    fc.property(anyEntries, fc.double({ min: 0, max: 1, noNaN: true }), (shape, share) => {
      const { bytes } = encode(entriesOf(shape));
      const cut = bytes.slice(0, Math.floor(share * bytes.length));
      if (cut.length < bytes.length) expect(codeOf(cut)).toBe("truncated");
    }),
  );
});

test("a batch with any bit flipped is refused", () => {
  fc.assert(
    fc.property(anyEntries, fc.nat(), fc.nat(7), (shape, place, bit) => {
      const bytes = encode(entriesOf(shape)).bytes.slice();
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      expect(codeOf(bytes)).not.toBe(null);
    }),
  );
});

test("any bytes give a batch or a CodecError, and nothing else, even under a right checksum", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 3, maxLength: 120 }), (payload) => {
      codeOf(payload);
      codeOf(framed(...payload));
    }),
    { numRuns: 2_000 },
  );
});

test.each<[string, Uint8Array, CodecErrorCode]>([
  ["an absurd length", Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0), "length"],
  ["a length of nothing", framed(), "length"],
  ["bytes after the frame", Uint8Array.of(...framed(1, 0, 5), 0), "trailing bytes"],
  ["bytes after the last entry", framed(1, 0, 5, 9), "trailing bytes"],
  ["more entries than bytes", framed(1, 100, 5, ...checks, 0), "count"],
  ["more entries than memory", framed(1, 255, 255, 255, 255, 127, 5, ...checks, 0), "count"],
  ["a count longer than it must be", framed(1, 0x81, 0, 5, ...checks, 0), "number"],
  ["a number above 53 bits", framed(255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0), "number"],
  ["a batch without its checksums", framed(1, 1, 5, 0), "truncated"],
  ["a first entry with a delta", framed(1, 1, 5, ...checks, 2), "time"],
  ["inputs announced and none there", framed(1, 1, 5, ...checks, 1, 0), "count"],
  ["too many inputs", framed(1, 1, 5, ...checks, 1, 17, ...Array(17).fill(3)), "count"],
  ["an unknown input", framed(1, 1, 5, ...checks, 1, 1, 99), "tag"],
  ["an empty console input", framed(1, 1, 5, ...checks, 1, 1, 1, 0, 0, 0, 0, 0, 0), "length"],
  [
    "a console input cut off",
    framed(1, 1, 5, ...checks, 1, 1, 1, 0, 0, 0, 0, 0, 9, 1),
    "truncated",
  ],
])("%s is refused with its code", (_, bytes, code) => {
  expect(codeOf(bytes)).toBe(code);
});
