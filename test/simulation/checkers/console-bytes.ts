/** All that the console is known to have printed, by position: a byte never changes. */
import { Violation } from "./checker.ts";

export class ConsoleBytes {
  #bytes = new Uint8Array(4_096);
  length = 0;

  /** Throws where a byte is known to be another one, and at a gap. */
  put(process: string, position: number, bytes: Uint8Array): void {
    if (position > this.length) {
      const message = `${process} prints at position ${position}; nobody has printed from ${this.length} on`;
      throw new Violation("consistency after failover", message);
    }
    const known = Math.min(bytes.length, this.length - position);
    this.#compare(process, position, bytes.subarray(0, known));
    if (known === bytes.length) return;
    this.#reserve(position + bytes.length);
    this.#bytes.set(bytes.subarray(known), this.length);
    this.length = position + bytes.length;
  }

  from(position: number): Uint8Array {
    return this.#bytes.subarray(position, this.length);
  }

  /** Throws when these bytes were never let out, or were others. */
  mustHave(writer: number, position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.length) {
      const message = `writer ${writer} was given the console up to position ${end}, and only ${this.length} were let out`;
      throw new Violation("consistency after failover", message);
    }
    this.#compare(`writer ${writer}`, position, bytes);
  }

  /** What was let out must be the beginning of what the surviving log prints. */
  mustBeginLike(printed: ConsoleBytes): void {
    if (printed.length < this.length) {
      const message = `the surviving log prints ${printed.length} bytes, and ${this.length} were let out`;
      throw new Violation("consistency after failover", message);
    }
    this.#compare("the surviving log", 0, printed.#bytes.subarray(0, this.length));
  }

  #compare(who: string, position: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      if (this.#bytes[position + i] === bytes[i]) continue;
      const message = `at position ${position + i} ${who} has ${text(bytes, i)}, and ${text(this.from(position + i), 0)} was let out before`;
      throw new Violation("consistency after failover", message);
    }
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** What stands at `at`, with a little after it. */
function text(bytes: Uint8Array, at: number): string {
  return JSON.stringify(String.fromCharCode(...bytes.subarray(at, at + 20)));
}
