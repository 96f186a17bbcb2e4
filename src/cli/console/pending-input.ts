/**
 * What was typed and is not yet in the acknowledged log. Each byte has a position, so that a new
 * primary can drop what the old one already took.
 */
import { assert } from "../../shared/assert.ts";
import { consoleInFlightBytesMax } from "../../shared/limits.ts";

const pieceBytesMax = 4 * 1024;
/** Above this, whoever types must wait. */
const roomBytes = 64 * 1024;

interface Piece {
  readonly position: number;
  readonly bytes: Uint8Array;
  /** How far the typing was accepted when this was sent. */
  readonly accepted: number;
}

export class PendingInput {
  /** From `#accepted` on. */
  #bytes: Uint8Array = new Uint8Array(0);
  #accepted = 0;
  #sent = 0;

  get pendingBytes(): number {
    return this.#bytes.length;
  }

  get hasRoom(): boolean {
    return this.#bytes.length < roomBytes;
  }

  add(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
  }

  /** Everything below this position is in the acknowledged log. */
  get acceptedPosition(): number {
    return this.#accepted;
  }

  /** Something was sent and is not accepted. */
  get isUnderWay(): boolean {
    return this.#sent > this.#accepted;
  }

  /** The next piece to send; null when there is none, or when too much is under way. */
  take(): Piece | null {
    const position = this.#sent;
    const inFlight = position - this.#accepted;
    const length = Math.min(
      this.#bytes.length - inFlight,
      consoleInFlightBytesMax - inFlight,
      pieceBytesMax,
    );
    if (length <= 0) return null;
    this.#sent += length;
    const accepted = this.#accepted;
    return { accepted, position, bytes: this.#bytes.slice(inFlight, inFlight + length) };
  }

  /** Everything below `position` is in the acknowledged log. */
  accepted(position: number): void {
    // An old primary may say less than the new one knew already.
    if (position <= this.#accepted) return;
    const end = this.#accepted + this.#bytes.length;
    assert(position <= end, `input up to ${position} was accepted, and only ${end} was typed`);
    this.#bytes = this.#bytes.slice(position - this.#accepted);
    this.#accepted = position;
    this.#sent = Math.max(this.#sent, position);
  }

  /** The guest that was typed to is no more: nothing was typed to this one yet. */
  forget(): void {
    this.#bytes = new Uint8Array(0);
    this.#accepted = 0;
    this.#sent = 0;
  }

  /** On a new connection nothing is under way; nor is what was refused. */
  resendFromAccepted(): void {
    this.#sent = this.#accepted;
  }
}
