import { appendFileSync, renameSync } from "node:fs";

const fileBytesMax = 4 * 1024 * 1024;

/** A log file and the one before it (`.1`), each of at most 4 MiB. */
export class BoundedLog {
  readonly #file: string;
  #bytes = 0;

  constructor(file: string) {
    this.#file = file;
  }

  append(text: string): void {
    try {
      if (this.#bytes + text.length > fileBytesMax) {
        renameSync(this.#file, `${this.#file}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.#file, text, { mode: 0o600 });
      this.#bytes += text.length;
    } catch {
      // A full disk, or a directory removed at the end, must not take the VM with it.
    }
  }
}
