/** The messages of the logging channel as bytes: a tag, then the fields in their order. */
import { ByteReader, BytesError, ByteWriter } from "../../shared/bytes.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import {
  type ByeReason,
  byeReasons,
  type ChannelMessage,
  type Fingerprint,
  type RefuseReason,
  refuseReasons,
} from "./messages.ts";

const tags = {
  hello: 1,
  welcome: 2,
  refuse: 3,
  batch: 4,
  ack: 5,
  snapshotBegin: 6,
  snapshotChunk: 7,
  snapshotEnd: 8,
  recordChanged: 9,
  bye: 10,
} as const;

const hashBytes = 32;
/** Characters of the longest name or sentence. */
const textMax = 4_096;
/** Parts of the largest fingerprint. */
const partsMax = 64;

export function encodeMessage(message: ChannelMessage): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(64);
  writer.u8(tags[message.kind]);
  encodeBody(writer, message);
  return writer.written;
}

/** Throws `BytesError` for anything that is not exactly one message. */
export function decodeMessage(bytes: Uint8Array): ChannelMessage {
  const reader = new ByteReader(bytes);
  const message = decodeBody(reader.u8(), reader);
  if (reader.remaining > 0) {
    throw new BytesError("number", `${reader.remaining} bytes too many after ${message.kind}`);
  }
  return message;
}

function encodeBody(writer: ByteWriter, message: ChannelMessage): void {
  switch (message.kind) {
    case "hello":
      writeText(writer, message.vm);
      writeText(writer, message.nonce);
      writeIndex(writer, message.received);
      writeFingerprint(writer, message.fingerprint);
      return;
    case "welcome":
      writeText(writer, message.nonce);
      writer.varint(message.life);
      writer.varint(message.next);
      return;
    case "refuse":
      writer.u8(refuseReasons.indexOf(message.reason));
      writeText(writer, message.message);
      return;
    case "batch":
      writer.varint(message.batch.first);
      writer.varint(message.batch.count);
      writer.varint(message.batch.timeUs);
      writer.bytes(message.batch.bytes);
      return;
    case "ack":
      writeIndex(writer, message.received);
      writeIndex(writer, message.executed);
      writer.varint(message.executedUs);
      return;
    case "snapshotBegin":
      writer.varint(message.id);
      writer.varint(message.index);
      writer.varint(message.memoryBytes);
      writer.bytes(message.devices);
      return;
    case "snapshotChunk":
      writer.varint(message.id);
      writer.varint(message.offset);
      writer.bytes(message.bytes);
      return;
    case "snapshotEnd":
      writer.varint(message.id);
      writer.bytes(message.hash);
      return;
    case "recordChanged":
      writeRecord(writer, message.record);
      return;
    case "bye":
      writer.u8(byeReasons.indexOf(message.reason));
      writeText(writer, message.message);
  }
}

function decodeBody(tag: number, reader: ByteReader): ChannelMessage {
  switch (tag) {
    case tags.hello:
      return {
        kind: "hello",
        vm: readText(reader),
        nonce: readText(reader),
        received: readIndex(reader),
        fingerprint: readFingerprint(reader),
      };
    case tags.welcome:
      return {
        kind: "welcome",
        nonce: readText(reader),
        life: reader.varint(),
        next: reader.varint(),
      };
    case tags.refuse:
      return { kind: "refuse", reason: readRefuseReason(reader), message: readText(reader) };
    case tags.ack:
      return {
        kind: "ack",
        received: readIndex(reader),
        executed: readIndex(reader),
        executedUs: reader.varint(),
      };
    case tags.recordChanged:
      return { kind: "recordChanged", record: readRecord(reader) };
    case tags.bye:
      return { kind: "bye", reason: readByeReason(reader), message: readText(reader) };
    default:
      return decodeBulk(tag, reader);
  }
}

/** The messages that end in a byte string without a length: all that is left. */
function decodeBulk(tag: number, reader: ByteReader): ChannelMessage {
  switch (tag) {
    case tags.batch: {
      const [first, count, timeUs] = [reader.varint(), reader.varint(), reader.varint()];
      return { kind: "batch", batch: { first, count, timeUs, bytes: readRest(reader) } };
    }
    case tags.snapshotBegin:
      return {
        kind: "snapshotBegin",
        id: reader.varint(),
        index: reader.varint(),
        memoryBytes: reader.varint(),
        devices: readRest(reader),
      };
    case tags.snapshotChunk: {
      const [id, offset] = [reader.varint(), reader.varint()];
      return { kind: "snapshotChunk", id, offset, bytes: readRest(reader) };
    }
    case tags.snapshotEnd:
      return { kind: "snapshotEnd", id: reader.varint(), hash: reader.bytes(hashBytes) };
    default:
      throw new BytesError("number", `${tag} is no kind of message`);
  }
}

function readRest(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.remaining);
}

/** An index that may be -1: nothing yet. */
function writeIndex(writer: ByteWriter, index: number): void {
  writer.varint(index + 1);
}

function readIndex(reader: ByteReader): number {
  return reader.varint() - 1;
}

/** Text as its code units: the cores run without an encoder, and texts here are short. */
function writeText(writer: ByteWriter, text: string): void {
  const cut = text.slice(0, textMax);
  writer.varint(cut.length);
  for (let i = 0; i < cut.length; i++) writer.varint(cut.charCodeAt(i));
}

function readText(reader: ByteReader): string {
  const length = reader.varint();
  if (length > textMax) throw new BytesError("number", `a text of ${length} characters`);
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(reader.varint());
  return text;
}

function writeFingerprint(writer: ByteWriter, fingerprint: Fingerprint): void {
  const parts = Object.entries(fingerprint);
  writer.varint(parts.length);
  for (const [part, value] of parts) {
    writeText(writer, part);
    writeText(writer, value);
  }
}

function readFingerprint(reader: ByteReader): Fingerprint {
  const count = reader.varint();
  if (count > partsMax) throw new BytesError("number", `a fingerprint of ${count} parts`);
  const parts: [string, string][] = [];
  for (let i = 0; i < count; i++) parts.push([readText(reader), readText(reader)]);
  return Object.fromEntries(parts);
}

function writeRecord(writer: ByteWriter, record: VmRecord): void {
  writeText(writer, record.vm);
  writer.varint(record.epoch);
  writeText(writer, record.primary ?? "");
  writeText(writer, record.backup ?? "");
  writer.varint(record.takeovers);
}

function readRecord(reader: ByteReader): VmRecord {
  return {
    vm: readText(reader),
    epoch: reader.varint(),
    primary: readText(reader) || null,
    backup: readText(reader) || null,
    takeovers: reader.varint(),
  };
}

function readRefuseReason(reader: ByteReader): RefuseReason {
  const number = reader.u8();
  const reason = refuseReasons[number];
  if (reason === undefined) throw new BytesError("number", `${number} is no reason to refuse`);
  return reason;
}

function readByeReason(reader: ByteReader): ByeReason {
  const number = reader.u8();
  const reason = byeReasons[number];
  if (reason === undefined) throw new BytesError("number", `${number} is no reason to leave`);
  return reason;
}
