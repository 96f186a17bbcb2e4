/**
 * The frames that came over one connection and are not yet told to be in the log: no more than the
 * protocol's bounds are taken, so that a guest which stands still does not fill the runner's memory.
 * A gateway keeps the bounds too, but forgets frames that are too old and then sends others.
 */
import { ingressInFlightBytesMax, ingressInFlightFramesMax } from "../../shared/limits.ts";

interface InFlight {
  readonly number: number;
  readonly bytes: number;
}

export class IngressWindow {
  readonly #inFlight: InFlight[] = [];
  #bytes = 0;
  #next = 0;

  /** Number after the last frame that came; numbers may be left out, but never go back. */
  get next(): number {
    return this.#next;
  }

  /** Counts frames that came; gives how many of them, from the first on, there is room for. */
  take(first: number, frames: readonly Uint8Array[]): number {
    this.#next = first + frames.length;
    for (const [i, { length }] of frames.entries()) {
      if (this.#inFlight.length >= ingressInFlightFramesMax) return i;
      if (this.#bytes + length > ingressInFlightBytesMax) return i;
      this.#inFlight.push({ number: first + i, bytes: length });
      this.#bytes += length;
    }
    return frames.length;
  }

  /** Every frame below number `next` is in the log. */
  accept(next: number): void {
    const waiting = this.#inFlight.findIndex(({ number }) => number >= next);
    const accepted = this.#inFlight.splice(0, waiting === -1 ? this.#inFlight.length : waiting);
    for (const { bytes } of accepted) this.#bytes -= bytes;
  }
}
