/** Where in the console's output a reader is, so that no byte is shown twice and none lost unseen. */

export interface Arrival {
  /** What the reader has not seen yet; null: nothing of it is new. */
  readonly fresh: { readonly position: number; readonly bytes: Uint8Array } | null;
  /** Bytes between what the reader has seen and this, which nobody has any more. */
  readonly missed: number;
}

export class OutputPosition {
  #next: number | null;

  /** null: the first output tells where the reader begins. */
  constructor(next: number | null) {
    this.#next = next;
  }

  /** Position of the next byte. */
  get next(): number | null {
    return this.#next;
  }

  /** Takes in output, which may begin before what was seen, or after it. */
  arrive(position: number, bytes: Uint8Array): Arrival {
    const wanted = this.#next ?? position;
    const missed = Math.max(0, position - wanted);
    const known = Math.max(0, wanted - position);
    if (known >= bytes.length) return { fresh: null, missed };
    this.#next = position + bytes.length;
    return { fresh: { position: position + known, bytes: bytes.subarray(known) }, missed };
  }

  /** Another guest prints, from its first byte on. */
  restart(): void {
    this.#next = 0;
  }

  /** Output goes on at `position`; gives the bytes that are missed by that. */
  skipTo(position: number): number {
    if (this.#next === null || position <= this.#next) return 0;
    const missed = position - this.#next;
    this.#next = position;
    return missed;
  }
}
