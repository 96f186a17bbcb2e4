/** One snapshot of the recorder: asked for, spare made ready, taken, read, let go. */
import { snapshotChunkBytes } from "../../shared/limits.ts";
import type { Machine, SnapshotSource } from "../machine/machine.ts";
import { describe, type Emit } from "./execution.ts";
import { FrozenState, type IncrementalHash } from "./frozen-state.ts";
import type { StateHashInput, StepIndex } from "./log-entry.ts";

type State =
  | { readonly kind: "none" }
  | { readonly kind: "preparing" | "prepared"; readonly id: number }
  | { readonly kind: "unprepared"; readonly id: number; readonly message: string }
  | { readonly kind: "taken"; readonly id: number; readonly frozen: FrozenState };

export class SnapshotTaking {
  readonly #emit: Emit;
  readonly #newHash: () => IncrementalHash;
  #state: State = { kind: "none" };

  constructor(emit: Emit, newHash: () => IncrementalHash) {
    this.#emit = emit;
    this.#newHash = newHash;
  }

  /** The spare needs turns of the event loop. */
  get preparing(): boolean {
    return this.#state.kind === "preparing";
  }

  get prepared(): boolean {
    return this.#state.kind === "prepared";
  }

  /** The guest runs on until the spare is there. */
  ask(id: number, machine: Machine): void {
    if (this.#state.kind !== "none") {
      const message = `snapshot ${this.#state.id} is still under way`;
      this.#emit({ kind: "snapshotFailed", id, message });
      return;
    }
    this.#state = { kind: "preparing", id };
    machine.prepareSpare().then(
      () => this.#afterPreparing(id, { kind: "prepared", id }),
      (error) => this.#afterPreparing(id, { kind: "unprepared", id, message: describe(error) }),
    );
  }

  /** Reports a spare that could not be made; called once a turn. */
  report(): void {
    if (this.#state.kind === "unprepared") this.fail(this.#state.message);
  }

  /** The machine has moved: the old instance is the state at entry `index`. */
  taken(index: StepIndex, source: SnapshotSource, pauseMs: number): void {
    if (this.#state.kind !== "prepared") return;
    const { id } = this.#state;
    this.#state = { kind: "taken", id, frozen: new FrozenState(index, source, this.#newHash()) };
    const { memoryBytes, devices } = source;
    this.#emit({ kind: "snapshotTaken", id, index, memoryBytes, devices, pauseMs });
  }

  /** Nothing was taken, or nothing will be. */
  fail(message: string): void {
    if (this.#state.kind === "none" || this.#state.kind === "taken") return;
    this.#emit({ kind: "snapshotFailed", id: this.#state.id, message });
    this.#state = { kind: "none" };
  }

  /** Gives the next chunk; with the last one, the input that logs the hash. */
  read(id: number): StateHashInput | null {
    if (this.#state.kind !== "taken" || this.#state.id !== id) {
      this.#emit({ kind: "snapshotFailed", id, message: `there is no snapshot ${id} to read` });
      return null;
    }
    const { frozen } = this.#state;
    if (frozen.digest !== null) return null;
    const chunk = frozen.read(snapshotChunkBytes);
    this.#emit({ kind: "snapshotChunk", id, ...chunk, hash: frozen.digest });
    if (frozen.digest === null) return null;
    return { kind: "stateHash", snapshot: frozen.index, hash: frozen.digest };
  }

  /** The old instance may go; a snapshot that is not taken yet will not be. */
  release(id: number): void {
    if (this.#state.kind === "none" || this.#state.id !== id) return;
    if (this.#state.kind === "taken") this.#state.frozen.release();
    this.#state = { kind: "none" };
  }

  #afterPreparing(id: number, state: State): void {
    if (this.#state.kind === "preparing" && this.#state.id === id) this.#state = state;
  }
}
