/**
 * Messages on a byte stream: a little-endian 32-bit length, then that many bytes. The reader takes
 * the stream in pieces of any size and refuses a length above its bound before it keeps anything.
 */
import { assert } from "./assert.ts";

const headerBytes = 4;

export class FramingError extends Error {
  override readonly name = "FramingError";
}

/** The message with its length in front. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(headerBytes + message.length);
  new DataView(framed.buffer).setUint32(0, message.length, true);
  framed.set(message, headerBytes);
  return framed;
}

export class FrameReader {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #buffered = 0;

  /** `maxBytes`: the longest message accepted. */
  constructor(maxBytes: number) {
    assert(maxBytes > 0, `a frame of at most ${maxBytes} bytes holds nothing`);
    this.#maxBytes = maxBytes;
  }

  /** Takes in a piece of the stream; returns the messages that are complete now. */
  push(piece: Uint8Array): Uint8Array[] {
    this.#pieces.push(piece);
    this.#buffered += piece.length;
    const messages: Uint8Array[] = [];
    for (let message = this.#take(); message !== null; message = this.#take()) {
      messages.push(message);
    }
    return messages;
  }

  #take(): Uint8Array | null {
    if (this.#buffered < headerBytes) return null;
    const header = this.#joined(headerBytes);
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
    if (length > this.#maxBytes) {
      throw new FramingError(
        `a message of ${length} bytes was announced; at most ${this.#maxBytes} are accepted`,
      );
    }
    if (this.#buffered < headerBytes + length) return null;
    const whole = this.#joined(headerBytes + length);
    this.#drop(headerBytes + length);
    return whole.subarray(headerBytes, headerBytes + length);
  }

  /** The first piece, made long enough to hold `length` bytes. */
  #joined(length: number): Uint8Array {
    const first = this.#pieces[0];
    assert(first !== undefined && this.#buffered >= length, "joined more than is buffered");
    if (first.length >= length) return first;
    const joined = new Uint8Array(this.#buffered);
    let offset = 0;
    for (const piece of this.#pieces) {
      joined.set(piece, offset);
      offset += piece.length;
    }
    this.#pieces = [joined];
    return joined;
  }

  #drop(length: number): void {
    const first = this.#pieces[0];
    assert(first !== undefined && first.length >= length, "dropped more than is buffered");
    if (first.length === length) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(length);
    this.#buffered -= length;
  }
}
