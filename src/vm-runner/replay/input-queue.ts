/** Inputs that wait for the next entry, in order and bounded. */
import { assert } from "../../shared/assert.ts";
import { consoleInputBytesMax, consoleInputPerEntryBytes } from "../../shared/limits.ts";
import { entryInputsMax } from "../logging-channel/codec.ts";
import type { ConsoleInput, LogInput } from "./log-entry.ts";

/** Inputs other than console bytes come from us, a few in the life of a VM. */
const controlInputsMax = 64;

export class InputQueue {
  #inputs: LogInput[] = [];
  #consoleBytes = 0;

  /**
   * Console bytes above the bound are dropped: whoever typed them sends again what it does not
   * find in the log.
   */
  push(input: LogInput): void {
    if (input.kind === "console") {
      if (input.bytes.length === 0) return;
      if (this.#consoleBytes + input.bytes.length > consoleInputBytesMax) return;
      this.#consoleBytes += input.bytes.length;
    } else {
      const controls = this.#inputs.filter(({ kind }) => kind !== "console").length;
      assert(controls < controlInputsMax, `${controls} control inputs wait for an entry`);
    }
    this.#inputs.push(input);
  }

  /** Empties the queue. */
  takeAll(): readonly LogInput[] {
    const all = this.#inputs;
    this.#inputs = [];
    this.#consoleBytes = 0;
    return all;
  }

  /** Whether `take` would give something. */
  hasInput(consoleRoom: number): boolean {
    const head = this.#inputs[0];
    return head !== undefined && (head.kind !== "console" || consoleRoom > 0);
  }

  /** The inputs of one entry, for a guest whose console has room for so many bytes. */
  take(consoleRoom: number): LogInput[] {
    const taken: LogInput[] = [];
    let room = Math.min(consoleRoom, consoleInputPerEntryBytes);
    // One place is left for the snapshot input that the recorder may add.
    while (taken.length < entryInputsMax - 1) {
      const head = this.#inputs[0];
      if (head === undefined || (head.kind === "console" && room <= 0)) break;
      if (head.kind === "console") {
        const piece = this.#takeConsole(head, room);
        room -= piece.bytes.length;
        taken.push(piece);
      } else {
        taken.push(head);
        this.#inputs.shift();
      }
    }
    return taken;
  }

  #takeConsole(head: ConsoleInput, room: number): ConsoleInput {
    const piece = { ...head, bytes: head.bytes.slice(0, room) };
    const rest = head.bytes.slice(room);
    if (rest.length === 0) this.#inputs.shift();
    else this.#inputs[0] = { ...head, position: head.position + room, bytes: rest };
    this.#consoleBytes -= piece.bytes.length;
    return piece;
  }
}
