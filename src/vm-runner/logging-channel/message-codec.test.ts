import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { batch } from "../../../test/pair-states.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { byeReasons, type ChannelMessage, refuseReasons } from "./messages.ts";

const fingerprint = { v86: "abc", node: "24.1.0 über" };
const messages: readonly ChannelMessage[] = [
  { kind: "hello", vm: "vm-1", nonce: "b1", fingerprint, received: -1 },
  { kind: "hello", vm: "vm-1", nonce: "b1", fingerprint: {}, received: 2 ** 40 },
  { kind: "welcome", nonce: "a1", life: 300, next: 0 },
  ...refuseReasons.map((reason) => ({ kind: "refuse", reason, message: "no" }) as const),
  { kind: "batch", batch: batch(7, 3) },
  { kind: "batch", batch: batch(7, 0, 0) },
  { kind: "ack", received: 9, executed: -1, executedUs: 0 },
  { kind: "snapshotBegin", id: 1, index: 0, memoryBytes: 2 ** 31, devices: Uint8Array.of(1, 2) },
  { kind: "snapshotChunk", id: 1, offset: 2 ** 32, bytes: new Uint8Array(100) },
  { kind: "snapshotEnd", id: 1, hash: new Uint8Array(32).fill(3) },
  {
    kind: "recordChanged",
    record: { vm: "vm-1", epoch: 4, primary: "a1", backup: null, takeovers: 2 },
  },
  {
    kind: "recordChanged",
    record: { vm: "vm-1", epoch: 5, primary: null, backup: "b1", takeovers: 0 },
  },
  ...byeReasons.map((reason) => ({ kind: "bye", reason, message: "" }) as const),
];

test.each(messages.map((message) => [message.kind, message] as const))(
  "%s comes out as it went in, and its fields have an end",
  (_, message) => {
    const bytes = encodeMessage(message);
    expect(decodeMessage(bytes)).toEqual(message);
    // These end with bytes of any length, which carry checksums of their own.
    if (message.kind === "batch" || message.kind.startsWith("snapshot")) return;
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeMessage(bytes.slice(0, length))).toThrow();
    }
    expect(() => decodeMessage(Uint8Array.of(...bytes, 0))).toThrow("bytes too many");
  },
);

test("whatever bytes come, they are one message or refused with the codec's own error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        expect(decodeMessage(encodeMessage(decodeMessage(bytes)))).toBeDefined();
      } catch (error) {
        expect(error).toMatchObject({ name: "BytesError" });
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a flipped byte never gives the same message", () => {
  const flips = fc.tuple(fc.constantFrom(...messages), fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(flips, ([message, at, flip]) => {
      const bytes = encodeMessage(message);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ flip;
      expect(decodedOrError(bytes)).not.toEqual(message);
    }),
    { numRuns: 1_000 },
  );
});

function decodedOrError(bytes: Uint8Array): unknown {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    expect(error).toMatchObject({ name: "BytesError" });
    return error;
  }
}
