/**
 * Inputs that wait for the next entry, in order and bounded. What a console writer typed is a
 * stream: a piece that does not continue it is refused whole, since bytes after a gap would be
 * taken for all that was typed. Whoever typed it sends it again, because it is not accepted.
 */
import { assert } from "../../shared/assert.ts";
import {
  consoleInputPerEntryBytes,
  consoleWriterBytesMax,
  consoleWritersMax,
} from "../../shared/limits.ts";
import { entryInputsMax } from "../logging-channel/codec.ts";
import type { IngressPosition } from "../machine/machine.ts";
import { FrameQueue } from "./frame-queue.ts";
import type { ConsoleInput, IngressInput, LogInput } from "./log-entry.ts";

/** Inputs from nobody outside come from us, a few in the life of a VM. */
const controlInputsMax = 64;

type ControlInput = Exclude<LogInput, ConsoleInput | IngressInput>;

/** What the guest can be given; a part of `Machine`. */
export interface InputRoom {
  readonly consoleInputRoom: number;
  readonly ingressRoom: number;
}

/** What of one writer is in the queue. */
interface Waiting {
  bytes: number;
  /** Position after the last of them. */
  end: number;
}

export class InputQueue {
  #controls: ControlInput[] = [];
  #typed: ConsoleInput[] = [];
  readonly #writers = new Map<number, Waiting>();
  readonly #frames = new FrameQueue();

  push(input: ControlInput): void {
    const waiting = this.#controls.length;
    assert(waiting < controlInputsMax, `${waiting} control inputs wait for an entry`);
    this.#controls.push(input);
  }

  /**
   * Takes what is new of `input`, or refuses all of it: at a gap, and where too much waits.
   * `given`: position after the last byte of this writer that the guest was given, 0 when it does
   * not know the writer; null: nobody can say yet, so any position continues the stream.
   */
  pushTyped(input: ConsoleInput, given: number | null): void {
    const { writer, position, bytes, accepted = 0 } = input;
    const end = position + bytes.length;
    const waiting = this.#writers.get(writer);
    const known = given === null ? null : Math.max(given, accepted);
    const next = Math.max(waiting?.end ?? 0, known ?? (waiting === undefined ? position : 0));
    if (position > next || end <= accepted || bytes.length === 0) return;
    // Of bytes that the guest has, the last one is logged again: so its writer is told.
    const first = Math.max(position, waiting === undefined ? Math.min(next, end - 1) : next);
    const size = (waiting?.bytes ?? 0) + end - first;
    if (end <= first || size > consoleWriterBytesMax) return;
    if (waiting === undefined && this.#writers.size >= consoleWritersMax) return;
    this.#writers.set(writer, { bytes: size, end });
    this.#typed.push({ ...input, position: first, bytes: bytes.subarray(first - position) });
  }

  /** See `FrameQueue.push`. */
  pushFrames(input: IngressInput, given: IngressPosition | null): void {
    this.#frames.push(input, given);
  }

  /** Empties the queue of what was typed, and gives it. */
  takeTyped(): readonly ConsoleInput[] {
    const all = this.#typed;
    this.#typed = [];
    this.#writers.clear();
    return all;
  }

  clear(): void {
    this.#controls = [];
    this.takeTyped();
    this.#frames.clear();
  }

  /** Whether `take` would give something. */
  hasInput(guest: InputRoom): boolean {
    if (this.#controls.length > 0) return true;
    if (this.#typed.length > 0 && guest.consoleInputRoom > 0) return true;
    return !this.#frames.isEmpty && guest.ingressRoom > 0;
  }

  /**
   * The inputs of one entry, as many as the guest has room for. A guest that does not read can be
   * switched off all the same: control inputs go before all others, and neither frames nor what was
   * typed take the place of the other.
   */
  take(guest: InputRoom): LogInput[] {
    // One place is left for the snapshot input that the recorder may add.
    const placesMax = entryInputsMax - 1;
    const taken: LogInput[] = this.#controls.splice(0, placesMax - 1);
    const frames = this.#frames.isEmpty ? null : this.#frames.take(guest.ingressRoom);
    if (frames !== null) taken.push(frames);
    let room = Math.min(guest.consoleInputRoom, consoleInputPerEntryBytes);
    while (taken.length < placesMax && room > 0) {
      const head = this.#typed[0];
      if (head === undefined) break;
      const piece = this.#takeConsole(head, room);
      room -= piece.bytes.length;
      taken.push(piece);
    }
    return taken;
  }

  #takeConsole(head: ConsoleInput, room: number): ConsoleInput {
    const { kind, writer, position } = head;
    const bytes = head.bytes.slice(0, room);
    const rest = head.bytes.subarray(room);
    if (rest.length === 0) this.#typed.shift();
    else this.#typed[0] = { ...head, position: position + room, bytes: rest };
    this.#forget(writer, bytes.length);
    return { kind, writer, position, bytes };
  }

  #forget(writer: number, bytes: number): void {
    const waiting = this.#writers.get(writer);
    assert(waiting !== undefined, `bytes of writer ${writer} wait that nobody has counted`);
    waiting.bytes -= bytes;
    if (waiting.bytes === 0) this.#writers.delete(writer);
  }
}
