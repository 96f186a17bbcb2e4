/**
 * Frames for the guest, kept until a runner said that they are in the acknowledged log: so the next
 * runner can be given what the last one may have lost. Numbers are consecutive; the oldest leave
 * first, so what is kept is one run of numbers.
 */
import { assert } from "../shared/assert.ts";
import {
  ingressAgeMsMax,
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
} from "../shared/limits.ts";

interface KeptFrame {
  readonly frame: Uint8Array;
  readonly takenMs: number;
}

/** Consecutive frames; `first` is the number of the first. */
export interface FrameRun {
  readonly first: number;
  readonly frames: readonly Uint8Array[];
}

export class IngressQueue {
  #kept: KeptFrame[] = [];
  #first = 0;
  #bytes = 0;

  /** Number of the oldest frame kept, or of the next one to come. */
  get first(): number {
    return this.#first;
  }

  /** Number of the next frame to come. */
  get next(): number {
    return this.#first + this.#kept.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy; false: there is no room, and it is dropped. */
  add(frame: Uint8Array, nowMs: number): boolean {
    if (this.#kept.length >= ingressInFlightFramesMax) return false;
    if (this.#bytes + frame.length > ingressInFlightBytesMax) return false;
    this.#kept.push({ frame: frame.slice(), takenMs: nowMs });
    this.#bytes += frame.length;
    return true;
  }

  /** Forgets the frames before number `next`, which nobody needs any more. */
  forgetBefore(next: number): void {
    assert(next <= this.next, `frame ${next - 1} is not taken yet; the next one is ${this.next}`);
    this.#drop(Math.max(0, next - this.#first));
  }

  /** Forgets the frames that waited too long; gives how many. */
  forgetOld(nowMs: number): number {
    const young = this.#kept.findIndex(({ takenMs }) => nowMs - takenMs <= ingressAgeMsMax);
    const count = young === -1 ? this.#kept.length : young;
    this.#drop(count);
    return count;
  }

  /**
   * The frames from number `from` on, as many as fit into `bytesMax`, each with `overheadBytes`;
   * one at least. Null: there are none.
   */
  run(from: number, bytesMax: number, overheadBytes: number): FrameRun | null {
    const first = Math.max(from, this.#first);
    const frames: Uint8Array[] = [];
    let bytes = 0;
    for (let i = first - this.#first; i < this.#kept.length; i++) {
      const frame = this.#kept[i]?.frame;
      assert(frame !== undefined, `frame ${this.#first + i} is kept and is not there`);
      bytes += frame.length + overheadBytes;
      if (bytes > bytesMax && frames.length > 0) break;
      frames.push(frame);
    }
    return frames.length === 0 ? null : { first, frames };
  }

  #drop(count: number): void {
    for (const { frame } of this.#kept.slice(0, count)) this.#bytes -= frame.length;
    this.#kept = this.#kept.slice(count);
    this.#first += count;
  }
}
