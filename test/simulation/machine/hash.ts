/**
 * Cheap hashes of the simulated machine: whole-number arithmetic only, since they are made at each
 * step. They protect against accidents, not against somebody who wants two states to look alike.
 */

/** 52 bits in two lanes; used again and again, so that hashing allocates nothing. */
export class Hash {
  #high = 0;
  #low = 0;

  /** Goes on from an earlier `value`. */
  begin(from: number): this {
    this.#high = Math.floor(from / 2 ** 32);
    this.#low = from | 0;
    return this;
  }

  /** A whole number of at most 53 bits. */
  add(value: number): this {
    this.#mix(value | 0);
    if (value > 0xffff_ffff) this.#mix(Math.floor(value / 2 ** 32));
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#mix(bytes.length);
    // Not for-of: its iterator costs more than the hashing.
    for (let i = 0; i < bytes.length; i++) this.#mix(bytes[i] ?? 0);
    return this;
  }

  text(text: string): this {
    this.#mix(text.length);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    return this;
  }

  get value(): number {
    return (this.#high & 0xfffff) * 2 ** 32 + (this.#low >>> 0);
  }

  #mix(value: number): void {
    const high = (Math.imul(this.#high ^ value, 0x85ebca6b) + 0x9e3779b9) | 0;
    const low = (Math.imul(this.#low + value, 0xc2b2ae35) ^ high) | 0;
    this.#high = high ^ (high >>> 15);
    this.#low = low ^ (low >>> 13);
  }
}

/** Mixes a 32-bit number into another one. */
export function mixed(digest: number, value: number): number {
  const product = Math.imul(digest ^ value, 0x9e3779b1) + 0x7f4a7c15;
  return product ^ (product >>> 15);
}

/**
 * What a byte adds to the hash of the memory that it is in: the hash is the sum of all, so that a
 * write changes it by the difference, and a zero adds nothing.
 */
export function cellHash(place: number, byte: number): number {
  if (byte === 0) return 0;
  const product = Math.imul(Math.imul(place + 1, 0x9e3779b1) ^ byte, 0x85ebca6b);
  return product ^ (product >>> 13);
}

/** The hash of a whole memory, read from end to end. */
export function memoryHash(memory: Uint8Array): number {
  const wordCount = memory.length >>> 2;
  const words = new Uint32Array(memory.buffer, memory.byteOffset, wordCount);
  let sum = 0;
  for (let place = 0; place < memory.length; place++) {
    // Most memory is empty: it is passed a word at a time.
    if ((place & 3) === 0 && words[place >>> 2] === 0) place += 3;
    else sum = (sum + cellHash(place, memory[place] ?? 0)) | 0;
  }
  return sum;
}
