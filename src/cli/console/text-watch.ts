/**
 * Has the guest printed a text on its console? The console's bytes come in pieces of any size, so the
 * end of what came is kept for as long as the text may have begun in it.
 */
import { assert } from "../../shared/assert.ts";

export class TextWatch {
  readonly #text: Uint8Array;
  #tail: Uint8Array = new Uint8Array(0);
  #seen = false;

  constructor(text: Uint8Array) {
    assert(text.length > 0, "nothing is printed all the time");
    this.#text = text;
  }

  get seen(): boolean {
    return this.#seen;
  }

  push(bytes: Uint8Array): void {
    if (this.#seen) return;
    const known = new Uint8Array(this.#tail.length + bytes.length);
    known.set(this.#tail);
    known.set(bytes, this.#tail.length);
    this.#seen = indexOf(known, this.#text) >= 0;
    this.#tail = known.slice(Math.max(0, known.length - (this.#text.length - 1)));
  }

  /** Bytes are missing here: what came before and what comes next do not belong together. */
  interrupt(): void {
    this.#tail = new Uint8Array(0);
  }
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0] ?? 0); at >= 0; ) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
    at = bytes.indexOf(wanted[0] ?? 0, at + 1);
  }
  return -1;
}
