/**
 * What a runner and a gateway say to each other, over TLS with the VM's key. Frames are numbered in
 * both directions, by the gateway those for the guest and by the guest's own state those that it
 * sent; so after a failover either side sends again exactly what the other has not got.
 *
 *     runner                                  gateway
 *       | attach nonce, epoch, life ----------> |  only from the runner in which the guest lives
 *       | <--------- attached gateway, egressNext |  or: closed reason
 *       | <------------- ingress first, frames  |
 *       | ingressAccepted gateway, next ------> |  they are in the log: forget them
 *       | egress first, frames ---------------> |
 *       | announce frame ---------------------> |  "the guest is here now"
 *       | renew epoch ------------------------> |  the same primary, a later epoch
 *       | ping -------------------------------> |  is there still somebody?
 *       | <------------------------------- pong |
 */
import { assert } from "../assert.ts";
import { ByteReader, BytesError, ByteWriter } from "../bytes.ts";
import { frameBytesMax, frameBytesMin, gatewayMessageBytesMax } from "../limits.ts";
import { noncePattern } from "./names.ts";
import type { Epoch, Nonce } from "./record.ts";

export type GatewayMessage = RunnerToGateway | GatewayToRunner;

export type RunnerToGateway =
  /**
   * The record names this runner primary in `epoch`, and the guest runs here. `life`: the epoch in which
   * that guest was booted; what it sends is numbered from 0 in each life.
   */
  | {
      readonly kind: "attach";
      readonly nonce: Nonce;
      readonly epoch: Epoch;
      readonly life: Epoch;
    }
  | { readonly kind: "renew"; readonly epoch: Epoch }
  /** Frames that the guest sent; `first`: number of the first among all of its life. */
  | { readonly kind: "egress"; readonly first: number; readonly frames: readonly Uint8Array[] }
  /** Frames of this gateway before number `next` are in the acknowledged log. */
  | { readonly kind: "ingressAccepted"; readonly gateway: number; readonly next: number }
  /** A frame that the guest did not send, and that has no number. */
  | { readonly kind: "announce"; readonly frame: Uint8Array }
  /** To be answered at once: a gateway whose node is gone closes no connection. */
  | { readonly kind: "ping" };

export type GatewayToRunner =
  /**
   * This runner's frames count now. `gateway`: the number by which this gateway process is known in
   * the log. `egressNext`: number of the first frame that it has not got; null: it has none, so only
   * new ones are wanted.
   */
  | { readonly kind: "attached"; readonly gateway: number; readonly egressNext: number | null }
  | { readonly kind: "ingress"; readonly first: number; readonly frames: readonly Uint8Array[] }
  | { readonly kind: "pong" }
  /** The last message: why this runner's frames do not count (any more). */
  | { readonly kind: "closed"; readonly reason: CloseReason; readonly epoch: Epoch };

/**
 * - `stale epoch`: the gateway knows a later one, `epoch`.
 * - `not the primary`: in this epoch the record names somebody else.
 * - `superseded`: a later epoch's runner has come.
 * - `too many runners`: more connections than a VM can have runners.
 */
export type CloseReason = (typeof closeReasons)[number];

/** Their numbers in a message: new ones go to the end. */
export const closeReasons = [
  "stale epoch",
  "not the primary",
  "superseded",
  "too many runners",
] as const;

/** Apart from those of the other protocols, so that a wrong port is noticed. */
const tags = {
  attach: 0x61,
  attached: 0x62,
  closed: 0x63,
  ingress: 0x64,
  ingressAccepted: 0x65,
  egress: 0x66,
  announce: 0x67,
  renew: 0x68,
  ping: 0x69,
  pong: 0x6a,
} as const;

/** Bytes that a frame takes in a message beside its own: the number that says its length. */
export const frameOverheadBytes = 2;
/** Bytes of a message with frames beside those: its tag and the number of the first frame. */
export const framesHeaderBytes = 16;

/** The sender keeps the bounds: a message of at most `gatewayMessageBytesMax`, whole frames. */
export function encodeGatewayMessage(message: GatewayMessage): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(capacityFor(message));
  writer.u8(tags[message.kind]);
  encodeBody(writer, message);
  assert(writer.length <= gatewayMessageBytesMax, `a gateway message of ${writer.length} bytes`);
  return writer.written;
}

/** Throws `BytesError` for anything that is not exactly one message. */
export function decodeGatewayMessage(bytes: Uint8Array): GatewayMessage {
  if (bytes.length > gatewayMessageBytesMax) {
    throw new BytesError("number", `a gateway message of ${bytes.length} bytes`);
  }
  const reader = new ByteReader(bytes);
  const message = decodeBody(reader.u8(), reader);
  if (reader.remaining > 0) {
    throw new BytesError("number", `${reader.remaining} bytes too many after ${message.kind}`);
  }
  return message;
}

/** So that no message with frames is moved while it is written. */
function capacityFor(message: GatewayMessage): number {
  if (message.kind === "announce") return framesHeaderBytes + message.frame.length;
  if (message.kind !== "egress" && message.kind !== "ingress") return 80;
  return message.frames.reduce(
    (sum, { length }) => sum + length + frameOverheadBytes,
    framesHeaderBytes,
  );
}

function encodeBody(writer: ByteWriter, message: GatewayMessage): void {
  switch (message.kind) {
    case "attach":
      writeNonce(writer, message.nonce);
      writer.varint(message.epoch);
      writer.varint(message.life);
      return;
    case "attached":
      writer.u32(message.gateway);
      writer.varint(message.egressNext === null ? 0 : message.egressNext + 1);
      return;
    case "closed":
      writer.u8(closeReasons.indexOf(message.reason));
      writer.varint(message.epoch);
      return;
    case "ingress":
    case "egress":
      writeFrames(writer, message.first, message.frames);
      return;
    case "ingressAccepted":
      writer.u32(message.gateway);
      writer.varint(message.next);
      return;
    case "announce":
      writeFrame(writer, message.frame);
      return;
    case "renew":
      writer.varint(message.epoch);
      return;
    case "ping":
    case "pong":
      return;
  }
}

function decodeBody(tag: number, reader: ByteReader): GatewayMessage {
  switch (tag) {
    case tags.attach:
      return {
        ...{ kind: "attach", nonce: readNonce(reader) },
        ...{ epoch: reader.varint(), life: reader.varint() },
      };
    case tags.attached: {
      const gateway = reader.u32();
      const wanted = reader.varint();
      return { kind: "attached", gateway, egressNext: wanted === 0 ? null : wanted - 1 };
    }
    case tags.closed:
      return { kind: "closed", reason: readCloseReason(reader), epoch: reader.varint() };
    case tags.ingress:
      return { kind: "ingress", ...readFrames(reader) };
    case tags.egress:
      return { kind: "egress", ...readFrames(reader) };
    case tags.ingressAccepted:
      return { kind: "ingressAccepted", gateway: reader.u32(), next: reader.varint() };
    case tags.announce:
      return { kind: "announce", frame: reader.bytes(readFrameLength(reader)) };
    case tags.renew:
      return { kind: "renew", epoch: reader.varint() };
    case tags.ping:
      return { kind: "ping" };
    case tags.pong:
      return { kind: "pong" };
    default:
      throw new BytesError("number", `${tag} is no kind of gateway message`);
  }
}

function writeNonce(writer: ByteWriter, nonce: Nonce): void {
  assert(noncePattern.test(nonce), `not a nonce: ${nonce}`);
  writer.u8(nonce.length);
  for (let i = 0; i < nonce.length; i++) writer.u8(nonce.charCodeAt(i));
}

function readNonce(reader: ByteReader): Nonce {
  const nonce = String.fromCharCode(...reader.view(reader.u8()));
  if (!noncePattern.test(nonce)) throw new BytesError("number", "what should be a nonce is none");
  return nonce;
}

function readCloseReason(reader: ByteReader): CloseReason {
  const number = reader.u8();
  const reason = closeReasons[number];
  if (reason === undefined) throw new BytesError("number", `${number} is no reason to close`);
  return reason;
}

/** Frames to the end of the message. */
function writeFrames(writer: ByteWriter, first: number, frames: readonly Uint8Array[]): void {
  assert(frames.length > 0, "a message that should carry frames has none");
  assert(Number.isSafeInteger(first + frames.length), `${frames.length} frames from ${first} on`);
  writer.varint(first);
  for (const frame of frames) writeFrame(writer, frame);
}

function writeFrame(writer: ByteWriter, frame: Uint8Array): void {
  const { length } = frame;
  assert(length >= frameBytesMin && length <= frameBytesMax, `a frame of ${length} bytes`);
  writer.varint(length);
  writer.bytes(frame);
}

/** The frames share one buffer that is nobody else's: it may be transferred to another thread. */
function readFrames(reader: ByteReader): { first: number; frames: Uint8Array[] } {
  const first = reader.varint();
  const own = new ByteReader(reader.bytes(reader.remaining));
  const frames = [own.view(readFrameLength(own))];
  while (own.remaining > 0) frames.push(own.view(readFrameLength(own)));
  if (!Number.isSafeInteger(first + frames.length)) {
    throw new BytesError("number", `${frames.length} frames from number ${first} on`);
  }
  return { first, frames };
}

function readFrameLength(reader: ByteReader): number {
  const length = reader.varint();
  if (length < frameBytesMin || length > frameBytesMax) {
    const expected = `expected ${frameBytesMin} to ${frameBytesMax}`;
    throw new BytesError("number", `a frame of ${length} bytes; ${expected}`);
  }
  return length;
}
