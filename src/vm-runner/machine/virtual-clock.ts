/**
 * The only clock that the guest and its devices see: the entry's time, plus half a microsecond for
 * every time it was read since. Reading must move it, because guests measure loops with it; moving
 * it by a fixed amount keeps it a function of the log.
 */
import type { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import type { VirtualUs } from "../replay/log-entry.ts";

/** Real time at virtual time 0 until the start input brings it: 1 January 2026, UTC. */
export const wallClockBeforeStartMs = 1_767_225_600_000;

const usPerRead = 0.5;

export class VirtualClock {
  #timeUs: VirtualUs = 0;
  /** Reads since the entry's time was set: part of the state, a snapshot may be taken after some. */
  #reads = 0;
  /** Real time at virtual time 0. */
  #wallClockMs = wallClockBeforeStartMs;

  /** A new entry begins; its time is not below `endUs`. */
  set(timeUs: VirtualUs): void {
    this.#timeUs = timeUs;
    this.#reads = 0;
  }

  /** Real time now, at the entry's time, in milliseconds since 1970 (UTC). */
  setWallClock(nowMs: number): void {
    this.#wallClockMs = nowMs - Math.floor(this.#timeUs / 1000);
  }

  get timeUs(): VirtualUs {
    return this.#timeUs;
  }

  /** Virtual milliseconds, as `performance.now` gives them; each read moves the clock. */
  readMs(): number {
    return (this.#timeUs + this.#reads++ * usPerRead) / 1000;
  }

  /** Milliseconds since 1970, whole, as `Date.now` gives them; does not move the clock. */
  dateMs(): number {
    return this.#wallClockMs + Math.floor((this.#timeUs + this.#reads * usPerRead) / 1000);
  }

  /** A whole microsecond that no read has passed. */
  get endUs(): VirtualUs {
    return Math.ceil(this.#timeUs + this.#reads * usPerRead);
  }

  save(writer: ByteWriter): void {
    writer.varint(this.#timeUs);
    writer.varint(this.#reads);
    writer.varint(this.#wallClockMs);
  }

  restore(reader: ByteReader): void {
    this.#timeUs = reader.varint();
    this.#reads = reader.varint();
    this.#wallClockMs = reader.varint();
  }
}
