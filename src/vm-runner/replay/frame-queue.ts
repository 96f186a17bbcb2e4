/**
 * Frames for the guest that wait for an entry, by number and in order, of the one gateway that sent
 * last. Frames are not a stream as console bytes are: a gap is a lost frame, and its sender knows how
 * to live with that. What comes again is known by its number, and is not given twice.
 */
import { isFrame } from "../../shared/ethernet.ts";
import {
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
  ingressPerEntryBytesMax,
  ingressPerEntryFramesMax,
} from "../../shared/limits.ts";
import type { IngressPosition } from "../machine/machine.ts";
import type { IngressInput } from "./log-entry.ts";

interface WaitingFrame {
  readonly number: number;
  readonly frame: Uint8Array;
}

export class FrameQueue {
  #gateway = 0;
  #waiting: WaitingFrame[] = [];
  #bytes = 0;
  /** The first number that is neither waiting nor in an entry: those below it came before. */
  #next = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Takes what is new of `input`. `given`: how far the guest's card has come; null when it has come
   * nowhere, or when nobody can say yet. A gateway sends no more than there is room for; what is
   * above it is lost, and so is a frame that no network carries: neither may stop the machine.
   */
  push({ gateway, first, frames }: IngressInput, given: IngressPosition | null): void {
    if (gateway !== this.#gateway) {
      this.clear();
      this.#gateway = gateway;
    }
    if (given?.gateway === gateway) this.#next = Math.max(this.#next, given.next);
    if (!Number.isSafeInteger(first + frames.length)) return;
    for (const [i, frame] of frames.entries()) {
      const number = first + i;
      if (number < this.#next || !isFrame(frame) || !this.#hasRoom(frame)) continue;
      this.#waiting.push({ number, frame });
      this.#bytes += frame.length;
      this.#next = number + 1;
    }
  }

  /** The frames of one entry, for a card with room for `room`: their numbers follow one another. */
  take(room: number): IngressInput | null {
    const head = this.#waiting[0];
    const count = this.#countFor(Math.min(room, ingressPerEntryFramesMax));
    if (head === undefined || count === 0) return null;
    const frames = this.#waiting.splice(0, count).map(({ frame }) => frame);
    for (const { length } of frames) this.#bytes -= length;
    return { kind: "ingress", gateway: this.#gateway, first: head.number, frames };
  }

  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#next = 0;
  }

  #countFor(countMax: number): number {
    let bytes = 0;
    for (let count = 0; count < countMax; count++) {
      const next = this.#waiting[count];
      const before = this.#waiting[count - 1];
      if (next === undefined) return count;
      if (before !== undefined && next.number !== before.number + 1) return count;
      bytes += next.frame.length;
      if (bytes > ingressPerEntryBytesMax) return count;
    }
    return countMax;
  }

  #hasRoom({ length }: Uint8Array): boolean {
    const { length: count } = this.#waiting;
    return count < ingressInFlightFramesMax && this.#bytes + length <= ingressInFlightBytesMax;
  }
}
