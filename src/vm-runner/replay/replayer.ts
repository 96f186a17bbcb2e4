/**
 * Runs the steps of recorded entries (recorder.ts is its mirror) and compares this machine's
 * state with the checksums in the log, always before the step that would build on it.
 */
import { signOfLifeMs } from "../../shared/limits.ts";
import {
  type CheckedEntry,
  CodecError,
  type DecodedBatch,
  decodeBatch,
  windowCheckInterval,
} from "../logging-channel/codec.ts";
import type { SnapshotSource } from "../machine/machine.ts";
import { compareRegisters, StateHashes } from "./divergence.ts";
import { describe, type Emit, type Execution, type Next } from "./execution.ts";
import type { Batch } from "./executor-protocol.ts";
import { FrozenState, type IncrementalHash } from "./frozen-state.ts";
import type { LogEntry, StepIndex } from "./log-entry.ts";

/** `executed` is reported at the end of each batch, and at least this often. */
const reportIntervalUs = 4_000;
/** Bytes of a frozen state hashed between two steps, and in a turn without a step. */
const busyHashBytes = 128 * 1024;
const idleHashBytes = 1024 * 1024;

interface Move {
  result: { readonly source: SnapshotSource } | { readonly message: string } | null;
}

export class Replayer {
  readonly #execution: Execution;
  readonly #emit: Emit;
  readonly #newHash: () => IncrementalHash;
  readonly #hashes = new StateHashes();
  readonly #queue: DecodedBatch[] = [];
  /** Entries of the queue's head that were executed. */
  #position = 0;
  #move: Move | null = null;
  #frozen: FrozenState | null = null;
  #reportedUs = 0;

  constructor(execution: Execution, emit: Emit, newHash: () => IncrementalHash) {
    this.#execution = execution;
    this.#emit = emit;
    this.#newHash = newHash;
  }

  /** Execute this batch next. A batch that does not follow the last one is a divergence. */
  accept(batch: Batch): void {
    if (this.#execution.over) return;
    const last = this.#queue.at(-1);
    const expected = last === undefined ? this.#execution.next : last.first + last.entries.length;
    try {
      const decoded = decodeBatch(batch.bytes);
      if (decoded.entries.length === 0) return;
      if (decoded.first === expected) this.#queue.push(decoded);
      else this.#diverge(expected, `entry ${expected} is missing: ${decoded.first} came`);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#diverge(expected, `the batch cannot be read: ${error.message}`);
    }
  }

  /** The machine was restored from the snapshot of entry `first`, with this hash. */
  restored(first: StepIndex, hash: Uint8Array): void {
    this.#queue.length = 0;
    this.#position = 0;
    this.#letGo();
    this.#hashes.addOwn(first, hash);
  }

  /** This runner goes live: an unfinished hash of an old snapshot gates nothing. */
  leave(): void {
    this.#letGo();
  }

  /** One step; "drained" when every entry received was executed. */
  turn(nowUs: number): Next | "drained" {
    const head = this.#queue[0];
    const checked = head?.entries[this.#position];
    if (head === undefined || checked === undefined) return "drained";
    if (this.#move !== null) return this.#afterMove(nowUs, head, checked.entry, this.#move);
    this.#hashMore(busyHashBytes);
    if (this.#execution.over || this.#differs(head, checked)) return { kind: "run" };
    if (has(checked.entry, "powerOff")) return this.#powerOff(checked.entry);
    if (has(checked.entry, "snapshot") && !this.#execution.delivered) {
      return this.#follow(checked.entry);
    }
    return this.#run(nowUs, head, checked.entry);
  }

  /** What a runner does that waits for entries. */
  rest(): Next {
    if (this.#frozen === null) return { kind: "sleep", us: signOfLifeMs * 1000 };
    this.#hashMore(idleHashBytes);
    return { kind: "run" };
  }

  #differs(batch: DecodedBatch, { entry, window }: CheckedEntry): boolean {
    const what = this.#difference(batch, entry, window);
    if (what !== null) this.#diverge(entry.index, what);
    return what !== null;
  }

  #difference(batch: DecodedBatch, entry: LogEntry, window: number | null): string | null {
    const { machine, timeUs, delivered } = this.#execution;
    if (entry.timeUs < timeUs) {
      return `time goes back: entry ${entry.timeUs} us, machine ${timeUs} us`;
    }
    // A restored machine has its inputs already: the checksums are of the state before them.
    if (!delivered) {
      if (this.#position === 0 && batch.checks !== null) {
        const registers = compareRegisters(machine.registers(), batch.checks);
        if (registers !== null) return registers;
      }
      const number = entry.index / windowCheckInterval;
      if (window !== null && machine.windowChecksum(number) !== window) {
        return `memory window ${number} differs`;
      }
    }
    return this.#stateHashDifference(entry);
  }

  #stateHashDifference(entry: LogEntry): string | null {
    for (const input of entry.inputs) {
      if (input.kind !== "stateHash") continue;
      const what = this.#hashes.addLogged(input.snapshot, input.hash);
      if (what !== null) return what;
    }
    return null;
  }

  #run(nowUs: number, batch: DecodedBatch, entry: LogEntry): Next {
    const outcome = this.#execution.step(entry);
    if (outcome.kind === "trapped") {
      this.#trap(entry.index, outcome.message);
      return { kind: "run" };
    }
    for (const output of outcome.outputs) {
      this.#emit({ kind: "output", index: entry.index, output });
    }
    this.#position++;
    const ended = this.#position === batch.entries.length;
    if (ended) {
      this.#queue.shift();
      this.#position = 0;
    }
    const off = outcome.kind === "poweredOff";
    if (ended || off || nowUs - this.#reportedUs >= reportIntervalUs) {
      this.#reportedUs = nowUs;
      this.#emit({ kind: "executed", index: entry.index, timeUs: entry.timeUs });
    }
    if (off) this.#over({ kind: "poweredOff", index: entry.index });
    return { kind: "run" };
  }

  #powerOff(entry: LogEntry): Next {
    this.#emit({ kind: "executed", index: entry.index, timeUs: entry.timeUs });
    this.#over({ kind: "poweredOff", index: entry.index });
    return { kind: "run" };
  }

  /** Moves where the recorder moved: only a restored instance is equal to a restored one. */
  #follow(entry: LogEntry): Next {
    const { machine } = this.#execution;
    const move: Move = { result: null };
    this.#move = move;
    const moving = machine.prepareSpare().then(() => {
      machine.deliver(entry);
      this.#execution.delivered = true;
      return machine.move();
    });
    const promise = moving.then(
      (source) => {
        move.result = { source };
      },
      (error) => {
        move.result = { message: describe(error) };
      },
    );
    return { kind: "await", promise };
  }

  #afterMove(nowUs: number, batch: DecodedBatch, entry: LogEntry, { result }: Move): Next {
    this.#move = null;
    if (result === null || "message" in result) {
      this.#trap(entry.index, `cannot follow the snapshot: ${result?.message ?? "no answer"}`);
      return { kind: "run" };
    }
    while (this.#frozen !== null) this.#hashMore(idleHashBytes);
    this.#frozen = new FrozenState(entry.index, result.source, this.#newHash());
    if (this.#execution.over) return { kind: "run" };
    return this.#run(nowUs, batch, entry);
  }

  #hashMore(bytesMax: number): void {
    if (this.#frozen === null) return;
    const { index } = this.#frozen;
    this.#frozen.read(bytesMax);
    if (this.#frozen.digest === null) return;
    const what = this.#hashes.addOwn(index, this.#frozen.digest);
    this.#letGo();
    if (what !== null) this.#diverge(this.#execution.next, what);
  }

  #letGo(): void {
    this.#frozen?.release();
    this.#frozen = null;
  }

  #diverge(index: StepIndex, what: string): void {
    this.#over({ kind: "diverged", index, what });
  }

  #trap(index: StepIndex, message: string): void {
    this.#over({ kind: "trapped", index, message });
  }

  #over(event: Parameters<Emit>[0]): void {
    if (this.#execution.over) return;
    this.#execution.over = true;
    this.#emit(event);
  }
}

function has(entry: LogEntry, kind: LogEntry["inputs"][number]["kind"]): boolean {
  return entry.inputs.some((input) => input.kind === kind);
}
