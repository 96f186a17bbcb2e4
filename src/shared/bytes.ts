/**
 * Reading and writing of the bytes in our own formats: unsigned LEB128 numbers, little-endian
 * 32-bit words and byte strings. The reader trusts nothing: a number has exactly one spelling,
 * and a length is compared with what is there before anything is allocated.
 */
import { assert } from "./assert.ts";

export type BytesErrorCode = "truncated" | "number";

/** What is there are not the bytes that the format asks for. */
export class BytesError extends Error {
  override readonly name = "BytesError";
  readonly code: BytesErrorCode;

  constructor(code: BytesErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Bytes of the longest number: 53 bits, which is what a JavaScript number holds exactly. */
const varintBytesMax = 8;

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 0xff, `not a byte: ${value}`);
    this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, `not a u32: ${value}`);
    this.#grow(4);
    for (let shift = 0; shift < 32; shift += 8) {
      this.#bytes[this.#length++] = (value >>> shift) & 0xff;
    }
  }

  /** An unsigned LEB128 number of at most 53 bits. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `not an unsigned integer: ${value}`);
    this.#grow(varintBytesMax);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.#grow(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A view of everything written so far; writing more may leave it behind. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Room for so many bytes more, made in one go. */
  reserve(more: number): void {
    this.#grow(more);
  }

  /** A copy of everything written, with a buffer of its own that may be transferred. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    const value = this.#bytes[this.#offset];
    if (value === undefined) throw this.#truncated(1);
    this.#offset++;
    return value;
  }

  u32(): number {
    if (this.remaining < 4) throw this.#truncated(4);
    let value = 0;
    for (let factor = 1; factor <= 0x100_0000; factor *= 0x100) value += this.u8() * factor;
    return value;
  }

  /** An unsigned LEB128 number; one that is longer than it must be or above 53 bits is refused. */
  varint(): number {
    const start = this.#offset;
    let value = 0;
    let factor = 1;
    for (let length = 1; length <= varintBytesMax; length++) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (byte >= 0x80) continue;
      if (byte === 0 && length > 1) {
        throw new BytesError("number", `the number at byte ${start} is longer than it must be`);
      }
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
    throw new BytesError("number", `the number at byte ${start} is above 53 bits`);
  }

  /** A view of the next `length` bytes. */
  view(length: number): Uint8Array {
    if (length > this.remaining) throw this.#truncated(length);
    const from = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(from, this.#offset);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    return this.view(length).slice();
  }

  #truncated(wanted: number): BytesError {
    const there = `${this.remaining} are left at byte ${this.#offset}`;
    return new BytesError("truncated", `${wanted} bytes are expected and ${there}`);
  }
}

/** Whether both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** How many bytes all the pieces have together. */
export function bytesIn(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
