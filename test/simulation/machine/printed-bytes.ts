/** What the simulated console printed last, in a ring: printing copies no more than is new. */
import { consoleHistoryBytes } from "../../../src/shared/limits.ts";
import type { ConsoleHistory } from "../../../src/vm-runner/machine/machine.ts";

export class PrintedBytes {
  /** Byte p of the console is at p modulo the length. */
  readonly #ring = new Uint8Array(consoleHistoryBytes);
  #end: number;

  constructor({ position, bytes }: ConsoleHistory = { position: 0, bytes: new Uint8Array() }) {
    this.#end = position;
    this.append(bytes);
  }

  append(bytes: Uint8Array): void {
    this.#end += bytes.length;
    const kept = bytes.subarray(Math.max(0, bytes.length - consoleHistoryBytes));
    const start = (this.#end - kept.length) % consoleHistoryBytes;
    const room = consoleHistoryBytes - start;
    this.#ring.set(kept.subarray(0, room), start);
    if (kept.length > room) this.#ring.set(kept.subarray(room), 0);
  }

  /** A copy. */
  get last(): ConsoleHistory {
    const bytes = new Uint8Array(Math.min(this.#end, consoleHistoryBytes));
    const position = this.#end - bytes.length;
    const start = position % consoleHistoryBytes;
    const head = this.#ring.subarray(start, start + bytes.length);
    bytes.set(head);
    bytes.set(this.#ring.subarray(0, bytes.length - head.length), head.length);
    return { position, bytes };
  }
}
