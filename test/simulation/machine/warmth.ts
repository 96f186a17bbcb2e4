/**
 * State that no snapshot carries, as the TLB and the compiled code of the real machine: how long
 * this instance runs, and what it met lately.
 */
import { type Hash, mixed } from "./hash.ts";

const places = 64;

export class Warmth {
  #steps = 0;
  #hits = 0;
  readonly #table = new Uint8Array(places);
  /** Of all that was ever written to the table. */
  #written = 0;

  step(digest: number): void {
    const place = digest & (places - 1);
    const met = 1 + ((digest >>> 6) & 3);
    this.#steps++;
    if (this.#table[place] === met) this.#hits++;
    this.#table[place] = met;
    this.#written = mixed(this.#written, place * 8 + met);
  }

  /** What shows of it. */
  get bits(): number {
    return (this.#steps * 64 + (this.#hits % 64)) >>> 0;
  }

  addTo(hash: Hash): void {
    hash.add(this.#steps).add(this.#hits).add(this.#written);
  }

  /** The same, and the table as it is now. */
  addWholeTo(hash: Hash): void {
    this.addTo(hash);
    hash.bytes(this.#table);
  }
}
