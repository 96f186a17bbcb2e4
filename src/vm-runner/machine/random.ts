/**
 * Everything random that the guest sees: the ChaCha20 key stream (RFC 8439) of the VM's seed. The
 * state is part of the snapshot, so a stream goes on after it and is never repeated.
 */
import { assert } from "../../shared/assert.ts";
import type { ByteReader, ByteWriter } from "../../shared/bytes.ts";

export const seedBytes = 32;
const blockBytes = 64;
const blockWords = 16;
/** "expand 32-byte k" (RFC 8439, section 2.3). */
const constants = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Streams of one seed that have nothing to do with each other: the last word of the nonce. */
export const streams = { machine: 0, personality: 1 } as const;

export class RandomStream {
  #seed: Uint8Array = new Uint8Array(seedBytes);
  #nonce = nonceOf(streams.machine);
  /** Bytes handed out so far; the 32-bit block counter bounds it at 256 GiB. */
  #position = 0;
  #block: Uint8Array = new Uint8Array(blockBytes);
  #blockNumber = -1;

  /** Begins the stream of `seed` (32 bytes) at its first byte. Until then the seed is all zeros. */
  seed(seed: Uint8Array, stream: number = streams.machine): void {
    assert(seed.length === seedBytes, `the seed has ${seed.length} bytes instead of ${seedBytes}`);
    this.#seed = seed.slice();
    this.#nonce = nonceOf(stream);
    this.#position = 0;
    this.#blockNumber = -1;
  }

  byte(): number {
    const block = Math.floor(this.#position / blockBytes);
    if (block !== this.#blockNumber) {
      this.#block = chacha20Block(this.#seed, block, this.#nonce);
      this.#blockNumber = block;
    }
    // SAFETY: the index is below the block's length.
    return this.#block[this.#position++ % blockBytes] as number;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.byte());
  }

  /** A signed 32-bit number. */
  int32(): number {
    return this.byte() | (this.byte() << 8) | (this.byte() << 16) | (this.byte() << 24);
  }

  /** From 0 to below 1, as `Math.random` gives it, with 32 random bits. */
  fraction(): number {
    return (this.int32() >>> 0) / 2 ** 32;
  }

  save(writer: ByteWriter): void {
    writer.bytes(this.#seed);
    writer.bytes(this.#nonce);
    writer.varint(this.#position);
  }

  restore(reader: ByteReader): void {
    this.#seed = reader.bytes(seedBytes);
    this.#nonce = reader.bytes(nonceBytes);
    this.#position = reader.varint();
    this.#blockNumber = -1;
  }
}

const nonceBytes = 12;

function nonceOf(stream: number): Uint8Array {
  const nonce = new Uint8Array(nonceBytes);
  nonce[nonceBytes - 1] = stream;
  return nonce;
}

/** Block `counter` of the key stream (RFC 8439, section 2.3). */
export function chacha20Block(key: Uint8Array, counter: number, nonce: Uint8Array): Uint8Array {
  assert(counter <= 0xffff_ffff, "the random stream of this seed is used up");
  const start = new Uint32Array(blockWords);
  start.set(constants);
  start.set(words(key), 4);
  start[12] = counter;
  start.set(words(nonce), 13);
  const state = start.slice();
  for (let round = 0; round < 10; round++) {
    quarter(state, 0, 4, 8, 12);
    quarter(state, 1, 5, 9, 13);
    quarter(state, 2, 6, 10, 14);
    quarter(state, 3, 7, 11, 15);
    quarter(state, 0, 5, 10, 15);
    quarter(state, 1, 6, 11, 12);
    quarter(state, 2, 7, 8, 13);
    quarter(state, 3, 4, 9, 14);
  }
  const block = new Uint8Array(blockBytes);
  const view = new DataView(block.buffer);
  for (let i = 0; i < blockWords; i++) view.setUint32(4 * i, at(state, i) + at(start, i), true);
  return block;
}

/** Little-endian words. */
function words(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** RFC 8439, section 2.1. */
function quarter(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  mix(state, a, b, d, 16);
  mix(state, c, d, b, 12);
  mix(state, a, b, d, 8);
  mix(state, c, d, b, 7);
}

/** x += y; z ^= x; z is rotated left by `bits`. */
function mix(state: Uint32Array, x: number, y: number, z: number, bits: number): void {
  state[x] = at(state, x) + at(state, y);
  const mixed = at(state, z) ^ at(state, x);
  state[z] = (mixed << bits) | (mixed >>> (32 - bits));
}

function at(state: Uint32Array, index: number): number {
  // SAFETY: every index used here is below the 16 words of the state.
  return state[index] as number;
}
