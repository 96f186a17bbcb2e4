/**
 * A snapshot that is being received: chunks in order from the first byte to the last, hashed on
 * the way. Nothing of it is used before the hash of the whole is the one that was announced.
 */
import { equalBytes } from "../../shared/bytes.ts";
import type { SnapshotTarget } from "../machine/machine.ts";
import type { IncrementalHash } from "./frozen-state.ts";

export class Restore {
  readonly id: number;
  readonly #memoryBytes: number;
  readonly #target: SnapshotTarget;
  readonly #hash: IncrementalHash;
  #received = 0;

  constructor(id: number, memoryBytes: number, target: SnapshotTarget, hash: IncrementalHash) {
    this.id = id;
    this.#memoryBytes = memoryBytes;
    this.#target = target;
    this.#hash = hash;
  }

  /** @returns what is wrong with the chunk, or null. */
  write(offset: number, bytes: Uint8Array): string | null {
    if (offset !== this.#received) {
      return `a chunk for byte ${offset} came; expected the one for byte ${this.#received}`;
    }
    if (offset + bytes.length > this.#memoryBytes) {
      return `a chunk ends at byte ${offset + bytes.length} of ${this.#memoryBytes}`;
    }
    this.#target.write(offset, bytes);
    this.#hash.update(bytes);
    this.#received += bytes.length;
    return null;
  }

  /** @returns the target to finish, or what is wrong with the snapshot. */
  complete(devices: Uint8Array, hash: Uint8Array): SnapshotTarget | string {
    if (this.#received !== this.#memoryBytes) {
      return `the snapshot ends after ${this.#received} of ${this.#memoryBytes} bytes`;
    }
    this.#hash.update(devices);
    if (!equalBytes(this.#hash.digest(), hash)) {
      return "the hash of the snapshot received is not the one announced";
    }
    return this.#target;
  }
}
