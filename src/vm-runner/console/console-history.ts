/**
 * The console's last bytes, by position: what a reader who comes back is given. A backup remembers
 * what it executes; only what may leave under the Output Rule is shown.
 */
import { assert } from "../../shared/assert.ts";
import { consoleHistoryBytes } from "../../shared/limits.ts";

export class ConsoleHistory {
  /** Bytes are appended here and moved to its front now and then, not for each piece of output. */
  #buffer: Uint8Array = new Uint8Array(0);
  /** Where in the buffer the bytes kept begin and end. */
  #first = 0;
  #last = 0;
  /** Position of the first byte kept. */
  #start = 0;
  /** Everything below this position may be shown. */
  #shown = 0;

  /** Keeps what the console printed at `position`; what is there already stays. */
  remember(position: number, bytes: Uint8Array): void {
    const end = this.#end;
    if (position > end || this.#first === this.#last) {
      this.#beginAt(position);
      this.#append(bytes);
      return;
    }
    this.#append(bytes.subarray(Math.min(bytes.length, end - position)));
  }

  /** Everything remembered below `position` may be shown. */
  show(position: number): void {
    this.#shown = Math.max(this.#shown, position);
  }

  showAll(): void {
    this.show(this.#end);
  }

  /** What may be shown from `position` on; begins later when that is kept no more. */
  from(position: number): { readonly position: number; readonly bytes: Uint8Array } {
    const first = Math.max(position, this.#start);
    const last = Math.min(this.#shown, this.#end);
    assert(this.#shown <= this.#end, "shown more than is kept");
    if (first >= last) return { position: Math.max(first, last), bytes: new Uint8Array(0) };
    const offset = this.#first - this.#start;
    return { position: first, bytes: this.#buffer.slice(first + offset, last + offset) };
  }

  get #end(): number {
    return this.#start + this.#last - this.#first;
  }

  #beginAt(position: number): void {
    this.#start = position;
    this.#first = 0;
    this.#last = 0;
  }

  #append(bytes: Uint8Array): void {
    const fresh = bytes.subarray(Math.max(0, bytes.length - consoleHistoryBytes));
    if (fresh.length < bytes.length) this.#beginAt(this.#end + bytes.length - fresh.length);
    this.#makeRoom(fresh.length);
    this.#buffer.set(fresh, this.#last);
    this.#last += fresh.length;
    const surplus = Math.max(0, this.#last - this.#first - consoleHistoryBytes);
    this.#first += surplus;
    this.#start += surplus;
  }

  /** Leaves at least half of the buffer free, so that each byte is moved but a few times. */
  #makeRoom(length: number): void {
    if (this.#last + length <= this.#buffer.length) return;
    const kept = this.#buffer.subarray(this.#first, this.#last);
    const wanted = 2 * (kept.length + length);
    if (wanted <= this.#buffer.length) this.#buffer.copyWithin(0, this.#first, this.#last);
    else {
      const larger = new Uint8Array(wanted);
      larger.set(kept);
      this.#buffer = larger;
    }
    this.#first = 0;
    this.#last = kept.length;
  }
}
