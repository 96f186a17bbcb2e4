import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ByteWriter } from "../bytes.ts";
import { frameBytesMax, frameBytesMin, gatewayMessageBytesMax } from "../limits.ts";
import {
  closeReasons,
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayMessage,
} from "./gateway.ts";

const shortest = new Uint8Array(frameBytesMin).fill(7);
const longest = new Uint8Array(frameBytesMax).fill(9);

const messages: readonly GatewayMessage[] = [
  { kind: "attach", nonce: "0123456789abcdef", epoch: 7, life: 3 },
  {
    ...{ kind: "attach", nonce: "a".repeat(128) },
    ...{ epoch: Number.MAX_SAFE_INTEGER, life: Number.MAX_SAFE_INTEGER },
  },
  { kind: "renew", epoch: 0 },
  { kind: "egress", first: 0, frames: [shortest] },
  { kind: "egress", first: Number.MAX_SAFE_INTEGER - 2, frames: [longest, shortest] },
  { kind: "ingressAccepted", gateway: 0xffff_ffff, next: 2 ** 40 },
  { kind: "ping" },
  { kind: "pong" },
  { kind: "announce", frame: new Uint8Array(42) },
  { kind: "attached", gateway: 0, egressNext: null },
  { kind: "attached", gateway: 1, egressNext: 0 },
  { kind: "attached", gateway: 1, egressNext: Number.MAX_SAFE_INTEGER - 1 },
  { kind: "ingress", first: 300, frames: [longest, longest, shortest] },
  ...closeReasons.map((reason) => ({ kind: "closed", reason, epoch: 3 }) as const),
];

test.each(messages.map((message) => [message.kind, message] as const))(
  "%s comes out as it went in, and cut short or longer it is refused",
  (_, message) => {
    const bytes = encodeGatewayMessage(message);
    expect(decodeGatewayMessage(bytes)).toEqual(message);
    const ends = message.kind === "ingress" || message.kind === "egress" ? wholeFrames(bytes) : [];
    for (let length = 0; length < bytes.length; length++) {
      if (ends.includes(length)) continue;
      expect(() => decodeGatewayMessage(bytes.slice(0, length))).toThrow();
    }
    expect(() => decodeGatewayMessage(Uint8Array.of(...bytes, 0))).toThrow();
  },
);

/** Lengths at which a message with several frames is one with fewer. */
function wholeFrames(bytes: Uint8Array): number[] {
  const message = decodeGatewayMessage(bytes);
  if (message.kind !== "ingress" && message.kind !== "egress") return [];
  const { frames } = message;
  return frames.slice(1).map((_, i) => {
    return encodeGatewayMessage({ ...message, frames: frames.slice(0, i + 1) }).length;
  });
}

function raw(tag: number, ...numbers: number[]): ByteWriter {
  const writer = new ByteWriter();
  writer.u8(tag);
  for (const number of numbers) writer.varint(number);
  return writer;
}

test.each([
  ["a frame below the shortest", raw(0x66, 0, frameBytesMin - 1), frameBytesMin - 1],
  ["a frame above the longest", raw(0x64, 0, frameBytesMax + 1), frameBytesMax + 1],
  ["an announcement above the longest", raw(0x67, frameBytesMax + 1), frameBytesMax + 1],
  ["no frame at all", raw(0x66, 0), 0],
  ["numbers above 53 bits", raw(0x66, Number.MAX_SAFE_INTEGER, frameBytesMin), frameBytesMin],
  ["an unknown tag", raw(0x6b), 0],
  ["an unknown reason", raw(0x63, closeReasons.length, 0), 0],
  ["a nonce of no length", raw(0x61, 0, 0), 0],
  ["a nonce that leaves its directory", raw(0x61, 3, 0x2e, 0x2e, 0x2f, 0), 0],
  ["more than a message may hold", raw(0x66, 0), gatewayMessageBytesMax],
])("%s is refused", (_, head, bytes) => {
  head.bytes(new Uint8Array(bytes));
  expect(() => decodeGatewayMessage(head.finish())).toThrow(
    expect.objectContaining({ name: "BytesError" }),
  );
});

test.each([
  ["a frame above the longest", new Uint8Array(frameBytesMax + 1)],
  ["a frame below the shortest", new Uint8Array(frameBytesMin - 1)],
])("%s is not sent", (_, frame) => {
  expect(() => encodeGatewayMessage({ kind: "egress", first: 0, frames: [frame] })).toThrow();
  expect(() => encodeGatewayMessage({ kind: "announce", frame })).toThrow();
});

test("frames share one buffer of their own, which may be transferred", () => {
  const frames = [shortest, longest, shortest];
  const bytes = encodeGatewayMessage({ kind: "ingress", first: 5, frames });
  const decoded = decodeGatewayMessage(bytes);
  bytes.fill(0);
  expect(decoded).toEqual({ kind: "ingress", first: 5, frames });
  const buffers = "frames" in decoded ? decoded.frames.map(({ buffer }) => buffer) : [];
  expect(new Set(buffers).size).toBe(1);
  expect(buffers).not.toContain(bytes.buffer);
});

test("whatever bytes come, they are one message with one spelling or a BytesError", () => {
  const tag = fc.integer({ min: 0x60, max: 0x6b });
  const any = fc.tuple(tag, fc.uint8Array({ maxLength: 200 }));
  fc.assert(
    fc.property(any, ([first, rest]) => {
      const bytes = Uint8Array.of(first, ...rest);
      try {
        expect(encodeGatewayMessage(decodeGatewayMessage(bytes))).toEqual(bytes);
      } catch (error) {
        expect(error).toMatchObject({ name: "BytesError" });
      }
    }),
    { numRuns: 5_000 },
  );
});

test("any frames with any number come out as they went in", () => {
  const frame = fc.uint8Array({ minLength: frameBytesMin, maxLength: 300 });
  const first = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 20 });
  const message: fc.Arbitrary<GatewayMessage> = fc.record({
    kind: fc.constantFrom("ingress" as const, "egress" as const),
    first,
    frames: fc.array(frame, { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(message, (sent) => {
      expect(decodeGatewayMessage(encodeGatewayMessage(sent))).toEqual(sent);
    }),
  );
});
