/**
 * Log entries and batches as bytes, the same on the logging channel and in a log file; the layout
 * is in docs/log-format.md. A batch is decoded whole or refused whole: its length and its CRC32C
 * are checked before anything in it is believed.
 */
import { assert } from "../../shared/assert.ts";
import { ByteReader, BytesError, ByteWriter, bytesIn } from "../../shared/bytes.ts";
import { crc32c } from "../../shared/crc32c.ts";
import {
  batchBytesMax,
  frameBytesMax,
  frameBytesMin,
  ingressPerEntryBytesMax,
  ingressPerEntryFramesMax,
} from "../../shared/limits.ts";
import { type RegisterChecks, registerNames } from "../machine/machine.ts";
import type { Batch } from "../replay/executor-protocol.ts";
import type {
  ConsoleInput,
  IngressInput,
  LogEntry,
  LogInput,
  StepIndex,
  VirtualUs,
} from "../replay/log-entry.ts";

/** Grows with every change of the layout; part of the pairing fingerprint and of log files. */
export const logFormatVersion = 2;
/** Length and CRC32C of what follows. */
export const frameHeaderBytes = 8;
/** Every entry whose index is a multiple of this carries the checksum of a memory window. */
export const windowCheckInterval = 64;
/** Inputs in one entry. */
export const entryInputsMax = 16;
/** What a batch has before its entries, at the most. */
const headBytesMax = 64;
/** Tag, gateway and numbers; then each frame with its length. */
const ingressHeadBytesMax = 32;
const frameLengthBytesMax = 2;
const ingressBytesMax =
  ingressHeadBytesMax + ingressPerEntryBytesMax + frameLengthBytesMax * ingressPerEntryFramesMax;
/** What one entry may take in a batch; a batch is closed while there is room for one more. */
const entryBytesMax = ingressBytesMax + 8 * 1024;
/** Bytes in one console input of an entry. */
const consoleBytesMax = 256;
const seedBytes = 32;
const macBytes = 6;
const hashBytes = 32;

assert(
  headBytesMax + 2 * entryBytesMax <= batchBytesMax,
  "the largest entry has room in a batch that was not closed",
);

const tags = { console: 1, start: 2, snapshot: 3, stateHash: 4, powerOff: 5, ingress: 6 } as const;

export type CodecErrorCode =
  | "truncated"
  | "number"
  | "length"
  | "checksum"
  | "count"
  | "tag"
  | "time"
  | "trailing bytes";

/** The bytes are no batch of this format. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly code: CodecErrorCode;

  constructor(code: CodecErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** An entry, with the checksum of memory window `index / windowCheckInterval` where it has one. */
export interface CheckedEntry {
  readonly entry: LogEntry;
  /** Of the memory before the entry's inputs are delivered. */
  readonly window: number | null;
}

export interface DecodedBatch {
  readonly first: StepIndex;
  /** Time of the last entry, or of the machine when there is none. */
  readonly timeUs: VirtualUs;
  /** Of the state before the first entry; null when there is no entry. */
  readonly checks: RegisterChecks | null;
  readonly entries: readonly CheckedEntry[];
}

/** Collects entries, and gives the batch when it is closed. */
export class BatchEncoder {
  readonly #first: StepIndex;
  readonly #checks: RegisterChecks;
  readonly #entries = new ByteWriter();
  #count = 0;
  #firstTimeUs: VirtualUs = 0;
  #timeUs: VirtualUs = 0;

  /** `checks` are those of the state before entry `first`. */
  constructor(first: StepIndex, checks: RegisterChecks) {
    this.#first = first;
    this.#checks = checks;
  }

  get hasRoom(): boolean {
    return headBytesMax + this.#entries.length + entryBytesMax <= batchBytesMax;
  }

  add(checked: CheckedEntry): void {
    const { entry, window } = checked;
    assert(entry.index === this.#first + this.#count, `entry ${entry.index} is out of order`);
    assert((window !== null) === hasWindow(entry.index), `window of entry ${entry.index}`);
    assert(entry.inputs.length <= entryInputsMax, `${entry.inputs.length} inputs in an entry`);
    if (this.#count === 0) this.#firstTimeUs = this.#timeUs = entry.timeUs;
    const deltaUs = entry.timeUs - this.#timeUs;
    const before = this.#entries.length;
    assert(deltaUs >= 0, `time of entry ${entry.index} goes back by ${-deltaUs} us`);
    this.#entries.varint(deltaUs * 2 + (entry.inputs.length > 0 ? 1 : 0));
    if (window !== null) this.#entries.u32(window);
    if (entry.inputs.length > 0) this.#entries.varint(entry.inputs.length);
    for (const input of entry.inputs) writeInput(this.#entries, input);
    const bytes = this.#entries.length - before;
    assert(bytes <= entryBytesMax, `entry ${entry.index} takes ${bytes} bytes`);
    this.#timeUs = entry.timeUs;
    this.#count++;
  }

  finish(): Batch {
    assert(this.#count > 0, "a batch that is no sign of life has an entry");
    const head = new ByteWriter(headBytesMax);
    head.varint(this.#first);
    head.varint(this.#count);
    head.varint(this.#firstTimeUs);
    head.u32(this.#checks.all);
    head.bytes(this.#checks.folded);
    const bytes = frame(head.written, this.#entries.written);
    return { first: this.#first, count: this.#count, timeUs: this.#timeUs, bytes };
  }
}

/** A batch without entries: `next` is the entry that the recorder will write next. */
export function signOfLife(next: StepIndex, timeUs: VirtualUs): Batch {
  const head = new ByteWriter(headBytesMax);
  head.varint(next);
  head.varint(0);
  head.varint(timeUs);
  return { first: next, count: 0, timeUs, bytes: frame(head.written, new Uint8Array()) };
}

/** Whether the entry carries the checksum of a memory window. */
export function hasWindow(index: StepIndex): boolean {
  return index % windowCheckInterval === 0;
}

/**
 * Bytes that the frame which begins at `offset` takes; at least `frameHeaderBytes` are there.
 * @throws CodecError "length" when no batch is that long.
 */
export function frameBytes(bytes: Uint8Array, offset = 0): number {
  const length = reading(() => new ByteReader(bytes, offset).u32());
  if (length < 3 || length > batchBytesMax) {
    const expected = `expected 3 to ${batchBytesMax}`;
    throw new CodecError("length", `a batch of ${length} bytes is announced; ${expected}`);
  }
  return frameHeaderBytes + length;
}

/** @throws CodecError when `bytes` are not exactly one batch. */
export function decodeBatch(bytes: Uint8Array): DecodedBatch {
  const expected = frameBytes(bytes);
  if (bytes.length !== expected) {
    const code = bytes.length < expected ? "truncated" : "trailing bytes";
    throw new CodecError(code, `a batch of ${expected} bytes is announced, found ${bytes.length}`);
  }
  return reading(() => decodeFrame(bytes));
}

function decodeFrame(bytes: Uint8Array): DecodedBatch {
  const reader = new ByteReader(bytes, 4);
  const crc = reader.u32();
  const found = crc32c(bytes.subarray(frameHeaderBytes));
  if (crc !== found) {
    throw new CodecError("checksum", `the batch's CRC32C is ${found}; its header says ${crc}`);
  }
  const first = reader.varint();
  const count = reader.varint();
  const timeUs = reader.varint();
  if (count > reader.remaining || !Number.isSafeInteger(first + count)) {
    throw new CodecError("count", `${count} entries cannot be in ${reader.remaining} bytes`);
  }
  const checks = count > 0 ? readChecks(reader) : null;
  const entries = readEntries(reader, first, count, timeUs);
  if (reader.remaining > 0) {
    throw new CodecError("trailing bytes", `${reader.remaining} bytes follow the last entry`);
  }
  return { first, timeUs: entries.at(-1)?.entry.timeUs ?? timeUs, checks, entries };
}

function readChecks(reader: ByteReader): RegisterChecks {
  return { all: reader.u32(), folded: reader.bytes(registerNames.length) };
}

function readEntries(
  reader: ByteReader,
  first: StepIndex,
  count: number,
  firstTimeUs: VirtualUs,
): CheckedEntry[] {
  const entries: CheckedEntry[] = [];
  let timeUs = firstTimeUs;
  for (let index = first; index < first + count; index++) {
    const head = reader.varint();
    const deltaUs = Math.floor(head / 2);
    timeUs += deltaUs;
    if (!Number.isSafeInteger(timeUs) || (index === first && deltaUs !== 0)) {
      throw new CodecError("time", `entry ${index} is ${deltaUs} us after the one before`);
    }
    const window = hasWindow(index) ? reader.u32() : null;
    const inputs = head % 2 === 1 ? readInputs(reader) : [];
    entries.push({ entry: { index, timeUs, inputs }, window });
  }
  return entries;
}

function readInputs(reader: ByteReader): LogInput[] {
  const count = reader.varint();
  if (count < 1 || count > entryInputsMax) {
    throw new CodecError("count", `an entry has ${count} inputs; expected 1 to ${entryInputsMax}`);
  }
  return Array.from({ length: count }, () => readInput(reader));
}

function readInput(reader: ByteReader): LogInput {
  const tag = reader.u8();
  switch (tag) {
    case tags.console:
      return readConsole(reader);
    case tags.start:
      return {
        kind: "start",
        seed: reader.bytes(seedBytes),
        mac: reader.bytes(macBytes),
        wallClockMs: reader.varint(),
      };
    case tags.snapshot:
      return { kind: "snapshot" };
    case tags.stateHash:
      return { kind: "stateHash", snapshot: reader.varint(), hash: reader.bytes(hashBytes) };
    case tags.powerOff:
      return { kind: "powerOff" };
    case tags.ingress:
      return readIngress(reader);
    default:
      throw new CodecError("tag", `${tag} is no kind of input; expected 1 to ${tags.ingress}`);
  }
}

function readConsole(reader: ByteReader): ConsoleInput {
  const writer = reader.u32();
  const position = reader.varint();
  const length = reader.varint();
  if (length < 1 || length > consoleBytesMax) {
    const expected = `expected 1 to ${consoleBytesMax}`;
    throw new CodecError("length", `a console input has ${length} bytes; ${expected}`);
  }
  return { kind: "console", writer, position, bytes: reader.bytes(length) };
}

function readIngress(reader: ByteReader): IngressInput {
  const gateway = reader.u32();
  const first = reader.varint();
  const count = reader.varint();
  if (count < 1 || count > ingressPerEntryFramesMax || !Number.isSafeInteger(first + count)) {
    const expected = `expected 1 to ${ingressPerEntryFramesMax}`;
    throw new CodecError(
      "count",
      `an ingress input has ${count} frames from ${first}; ${expected}`,
    );
  }
  const frames = Array.from({ length: count }, () => readFrame(reader));
  const bytes = bytesIn(frames);
  if (bytes > ingressPerEntryBytesMax) {
    const expected = `expected at most ${ingressPerEntryBytesMax}`;
    throw new CodecError(
      "length",
      `the frames of an ingress input have ${bytes} bytes; ${expected}`,
    );
  }
  return { kind: "ingress", gateway, first, frames };
}

function readFrame(reader: ByteReader): Uint8Array {
  const length = reader.varint();
  if (length < frameBytesMin || length > frameBytesMax) {
    const expected = `expected ${frameBytesMin} to ${frameBytesMax}`;
    throw new CodecError("length", `a frame has ${length} bytes; ${expected}`);
  }
  return reader.view(length);
}

function writeInput(writer: ByteWriter, input: LogInput): void {
  writer.u8(tags[input.kind]);
  switch (input.kind) {
    case "console":
      assert(
        input.bytes.length > 0 && input.bytes.length <= consoleBytesMax,
        `${input.bytes.length} console bytes in one input`,
      );
      writer.u32(input.writer);
      writer.varint(input.position);
      writer.varint(input.bytes.length);
      writer.bytes(input.bytes);
      return;
    case "start":
      assert(input.seed.length === seedBytes, `a seed of ${input.seed.length} bytes`);
      assert(input.mac.length === macBytes, `a MAC of ${input.mac.length} bytes`);
      writer.bytes(input.seed);
      writer.bytes(input.mac);
      writer.varint(input.wallClockMs);
      return;
    case "stateHash":
      assert(input.hash.length === hashBytes, `a hash of ${input.hash.length} bytes`);
      writer.varint(input.snapshot);
      writer.bytes(input.hash);
      return;
    case "ingress":
      writeIngress(writer, input);
      return;
    case "snapshot":
    case "powerOff":
      return;
  }
}

function writeIngress(writer: ByteWriter, { gateway, first, frames }: IngressInput): void {
  const count = frames.length;
  const bytes = bytesIn(frames);
  assert(count > 0 && count <= ingressPerEntryFramesMax, `${count} frames in one input`);
  assert(bytes <= ingressPerEntryBytesMax, `${bytes} bytes of frames in one input`);
  writer.reserve(ingressHeadBytesMax + bytes + frameLengthBytesMax * count);
  writer.u32(gateway);
  writer.varint(first);
  writer.varint(count);
  for (const ethernet of frames) {
    const { length } = ethernet;
    assert(length >= frameBytesMin && length <= frameBytesMax, `a frame of ${length} bytes`);
    writer.varint(length);
    writer.bytes(ethernet);
  }
}

/** Both go into the frame as they are: batches are long, and every copy is the guest's time. */
function frame(head: Uint8Array, entries: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = head.length + entries.length;
  assert(length <= batchBytesMax, `a batch of ${length} bytes`);
  const bytes = new Uint8Array(frameHeaderBytes + length);
  bytes.set(head, frameHeaderBytes);
  bytes.set(entries, frameHeaderBytes + head.length);
  const header = new ByteWriter(frameHeaderBytes);
  header.u32(length);
  header.u32(crc32c(bytes.subarray(frameHeaderBytes)));
  bytes.set(header.written);
  return bytes;
}

/** Runs a decoder and gives its errors the codec's name. */
function reading<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BytesError) throw new CodecError(error.code, error.message);
    throw error;
  }
}
