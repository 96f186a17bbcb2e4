/**
 * The guest's console over a connection (TLS-PSK, framed): how `lockstep console`, the web page and
 * the tests read and type, and go on at the right byte after a failover.
 *
 * ```mermaid
 * sequenceDiagram
 *   participant R as reader
 *   participant P as runner
 *   R->>P: attach (writer, position of the next byte wanted)
 *   P->>R: attached (life, position of the first byte that comes), or notPrimary
 *   P->>R: output (position, bytes) …
 *   R->>P: input (position, bytes, and how far it was accepted) …
 *   P->>R: accepted (writer, everything below this position is in the acknowledged log)
 * ```
 *
 * A reader whose last life was an earlier one (the guest was booted anew since) begins again: it says
 * attach from the first byte on, and numbers what it types from 0. Whoever shows an earlier life
 * than that is left.
 */
import { ByteReader, BytesError, ByteWriter } from "../bytes.ts";
import type { Epoch } from "./record.ts";

export type ConsoleMessage =
  /** `position` null: only what is printed from now on, with the history before it. */
  | { readonly kind: "attach"; readonly writer: number; readonly position: number | null }
  | {
      readonly kind: "attached";
      /** The epoch at which the guest's present life began: positions are of one life. */
      readonly life: Epoch;
      readonly position: number;
    }
  | { readonly kind: "notPrimary" }
  | { readonly kind: "output"; readonly position: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "input";
      readonly position: number;
      readonly bytes: Uint8Array;
      /** The reader was told that everything below this position is in the log. */
      readonly accepted: number;
    }
  | { readonly kind: "accepted"; readonly writer: number; readonly position: number };

/** Apart from those of the logging channel, which comes to the same port. */
export const consoleTagMin = 0x41;
const tags = {
  attach: 0x41,
  attached: 0x42,
  notPrimary: 0x43,
  output: 0x44,
  input: 0x45,
  accepted: 0x46,
} as const;

/** The longest message: history, as one piece of output. */
export const consoleMessageBytesMax = 256 * 1024;

export function encodeConsoleMessage(message: ConsoleMessage): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(tags[message.kind]);
  switch (message.kind) {
    case "attach":
      writer.u32(message.writer);
      writer.varint(message.position === null ? 0 : message.position + 1);
      break;
    case "attached":
      writer.varint(message.life);
      writer.varint(message.position);
      break;
    case "notPrimary":
      break;
    case "output":
      writer.varint(message.position);
      writer.bytes(message.bytes);
      break;
    case "input":
      writer.varint(message.accepted);
      writer.varint(message.position);
      writer.bytes(message.bytes);
      break;
    case "accepted":
      writer.u32(message.writer);
      writer.varint(message.position);
      break;
  }
  return writer.finish();
}

/** Throws `BytesError` for anything that is not exactly one message. */
export function decodeConsoleMessage(bytes: Uint8Array): ConsoleMessage {
  const reader = new ByteReader(bytes);
  const message = decodeBody(reader.u8(), reader);
  if (reader.remaining > 0) {
    throw new BytesError("number", `${reader.remaining} bytes too many after ${message.kind}`);
  }
  return message;
}

function decodeBody(tag: number, reader: ByteReader): ConsoleMessage {
  switch (tag) {
    case tags.attach: {
      const writer = reader.u32();
      const wanted = reader.varint();
      return { kind: "attach", writer, position: wanted === 0 ? null : wanted - 1 };
    }
    case tags.attached:
      return { kind: "attached", life: reader.varint(), position: reader.varint() };
    case tags.notPrimary:
      return { kind: "notPrimary" };
    case tags.output:
      return { kind: "output", position: reader.varint(), bytes: reader.bytes(reader.remaining) };
    case tags.input: {
      const accepted = reader.varint();
      const position = reader.varint();
      return { kind: "input", accepted, position, bytes: reader.bytes(reader.remaining) };
    }
    case tags.accepted:
      return { kind: "accepted", writer: reader.u32(), position: reader.varint() };
    default:
      throw new BytesError("number", `${tag} is no kind of console message`);
  }
}
