/**
 * What is sent to one peer in one synchronous turn leaves at its end as one write and one TLS
 * record. A stream sends a second write only after the first was reported as done, which takes a
 * round of the event loop: an acknowledgement or a frame must not wait for that.
 */
import type { Writable } from "node:stream";

export class WriteTurn {
  readonly #corked = new Set<Writable>();
  #later: (() => void)[] = [];
  #depth = 0;

  /** Does `work`; everything that joined in it, or in a turn within it, is written at its end. */
  run(work: () => void): void {
    this.#depth++;
    try {
      work();
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.#end();
    }
  }

  /** Does `work` when all that was sent in the turn is written: nobody on the wire waits for it. */
  after(work: () => void): void {
    if (this.#depth === 0) work();
    else this.#later.push(work);
  }

  /** Before a write: it waits for the end of the turn, if one is under way. */
  join(stream: Writable): void {
    if (this.#depth === 0 || this.#corked.has(stream)) return;
    this.#corked.add(stream);
    stream.cork();
  }

  #end(): void {
    for (const stream of this.#corked) stream.uncork();
    this.#corked.clear();
    const later = this.#later;
    this.#later = [];
    for (const work of later) work();
  }
}
