/** A queue of bytes with a bound; part of a device's state. */
import { assert } from "../../shared/assert.ts";
import type { ByteReader, ByteWriter } from "../../shared/bytes.ts";

export class ByteQueue {
  readonly #bytes: Uint8Array;
  #start = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get room(): number {
    return this.#bytes.length - this.#length;
  }

  push(byte: number): void {
    assert(this.room > 0, `a queue of ${this.#bytes.length} bytes is full`);
    this.#bytes[(this.#start + this.#length++) % this.#bytes.length] = byte;
  }

  shift(): number {
    assert(this.#length > 0, "the queue is empty");
    const byte = this.#at(0);
    this.#start = (this.#start + 1) % this.#bytes.length;
    this.#length--;
    return byte;
  }

  /** A copy of all that is queued, oldest first. */
  toBytes(): Uint8Array {
    return Uint8Array.from({ length: this.#length }, (_, i) => this.#at(i));
  }

  save(writer: ByteWriter): void {
    writer.varint(this.#length);
    writer.bytes(this.toBytes());
  }

  restore(reader: ByteReader): void {
    const bytes = reader.bytes(reader.varint());
    assert(bytes.length <= this.#bytes.length, `${bytes.length} bytes do not fit into the queue`);
    this.#bytes.set(bytes);
    this.#start = 0;
    this.#length = bytes.length;
  }

  #at(index: number): number {
    // SAFETY: the index is taken modulo the length.
    return this.#bytes[(this.#start + index) % this.#bytes.length] as number;
  }
}
