/**
 * The state at a snapshot, frozen in the old instance: read once from end to end, a chunk between
 * two steps, and hashed on the way (SHA-256 over the memory, then the devices).
 */
import type { SnapshotSource } from "../machine/machine.ts";
import type { StepIndex } from "./log-entry.ts";

/** A hash that takes its bytes in pieces; the shell brings SHA-256. */
export interface IncrementalHash {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export class FrozenState {
  readonly index: StepIndex;
  readonly #source: SnapshotSource;
  readonly #hash: IncrementalHash;
  #offset = 0;
  #digest: Uint8Array | null = null;

  constructor(index: StepIndex, source: SnapshotSource, hash: IncrementalHash) {
    this.index = index;
    this.#source = source;
    this.#hash = hash;
  }

  /** Known once everything was read. */
  get digest(): Uint8Array | null {
    return this.#digest;
  }

  /** The next chunk of at most `bytesMax`; nothing is left once there is a digest. */
  read(bytesMax: number): { readonly offset: number; readonly bytes: Uint8Array } {
    const offset = this.#offset;
    const length = Math.min(bytesMax, this.#source.memoryBytes - offset);
    const bytes = this.#source.read(offset, length);
    this.#hash.update(bytes);
    this.#offset += length;
    if (this.#offset === this.#source.memoryBytes) {
      this.#hash.update(this.#source.devices);
      this.#digest = this.#hash.digest();
    }
    return { offset, bytes };
  }

  release(): void {
    this.#source.release();
  }
}
