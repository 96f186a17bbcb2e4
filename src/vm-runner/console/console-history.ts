/**
 * The console's last bytes, by position: what a reader who comes back is given. A backup remembers
 * what it executes; only what may leave under the Output Rule is shown.
 */
import { assert } from "../../shared/assert.ts";
import { consoleHistoryBytes } from "../../shared/limits.ts";

export class ConsoleHistory {
  #bytes: Uint8Array = new Uint8Array(0);
  /** Position of the first byte kept. */
  #start = 0;
  /** Everything below this position may be shown. */
  #shown = 0;

  get start(): number {
    return this.#start;
  }

  get shown(): number {
    return this.#shown;
  }

  /** Keeps what the console printed at `position`; what is there already stays. */
  remember(position: number, bytes: Uint8Array): void {
    const end = this.#start + this.#bytes.length;
    if (position > end || this.#bytes.length === 0) {
      this.#start = position;
      this.#bytes = bytes.slice(-consoleHistoryBytes);
      this.#start = position + bytes.length - this.#bytes.length;
      return;
    }
    const fresh = bytes.subarray(Math.min(bytes.length, end - position));
    if (fresh.length === 0) return;
    const kept = this.#bytes.subarray(
      Math.max(0, this.#bytes.length + fresh.length - consoleHistoryBytes),
    );
    const joined = new Uint8Array(kept.length + fresh.length);
    joined.set(kept);
    joined.set(fresh, kept.length);
    this.#bytes = joined.slice(-consoleHistoryBytes);
    this.#start = end + fresh.length - this.#bytes.length;
  }

  /** Everything remembered below `position` may be shown. */
  show(position: number): void {
    this.#shown = Math.max(this.#shown, position);
  }

  showAll(): void {
    this.show(this.#start + this.#bytes.length);
  }

  /** What may be shown from `position` on; begins later when that is kept no more. */
  from(position: number): { readonly position: number; readonly bytes: Uint8Array } {
    const first = Math.max(position, this.#start);
    const last = Math.min(this.#shown, this.#start + this.#bytes.length);
    assert(this.#shown <= this.#start + this.#bytes.length, "shown more than is kept");
    if (first >= last) return { position: Math.max(first, last), bytes: new Uint8Array(0) };
    return { position: first, bytes: this.#bytes.slice(first - this.#start, last - this.#start) };
  }
}
