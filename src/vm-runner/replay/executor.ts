/**
 * The executor: the one that runs the machine, as recorder (primary) or as replayer (backup), and
 * goes from one to the other when the pair says so. It has no clock: `turn` is given real time,
 * and says what to do until the next call. All commands are obeyed in order, inside `turn`.
 *
 *     replaying --record, everything executed--> recording --pause--> paused --stop/replay--> replaying
 *                                                          <--record--
 */
import { assert } from "../../shared/assert.ts";
import type { Machine, SnapshotTarget } from "../machine/machine.ts";
import { describe, Execution, type Next } from "./execution.ts";
import type { ExecutorCommand, ExecutorEvent } from "./executor-protocol.ts";
import type { IncrementalHash } from "./frozen-state.ts";
import type { LogInput, StepIndex, VirtualUs } from "./log-entry.ts";
import { Recorder } from "./recorder.ts";
import { Replayer } from "./replayer.ts";
import { Restore } from "./restore.ts";

export interface ExecutorParts {
  /** A machine that has executed nothing; null for a runner that waits for a snapshot. */
  readonly machine: Machine | null;
  /** The machine's clock: above 0 when it comes from a snapshot of a booted guest. */
  readonly startUs: VirtualUs;
  /** An empty instance for a snapshot of this much memory. */
  readonly newTarget: (memoryBytes: number) => Promise<SnapshotTarget>;
  /** SHA-256. */
  readonly newHash: () => IncrementalHash;
}

export interface Turn {
  readonly events: readonly ExecutorEvent[];
  readonly next: Next;
}

type Mode = "replaying" | "recording" | "paused";
/** What is done in the turn after an awaited promise has settled. */
type Continuation = () => void;

export class Executor {
  readonly #parts: ExecutorParts;
  readonly #execution: Execution;
  readonly #recorder: Recorder;
  readonly #replayer: Replayer;
  #events: ExecutorEvent[] = [{ kind: "ready" }];
  #commands: ExecutorCommand[] = [];
  #mode: Mode = "replaying";
  /** Inputs of the first entry to record, once everything is replayed. */
  #goLive: readonly LogInput[] | null = null;
  #restore: Restore | null = null;
  #waiting: Promise<void> | null = null;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#execution = new Execution(parts.machine, parts.startUs);
    const emit = (event: ExecutorEvent) => {
      this.#events.push(event);
    };
    this.#recorder = new Recorder(this.#execution, emit, parts.newHash);
    this.#replayer = new Replayer(this.#execution, emit, parts.newHash);
  }

  /** The first step not executed. */
  get next(): StepIndex {
    return this.#execution.next;
  }

  /** Takes the command; it is obeyed in the next turn. */
  command(command: ExecutorCommand): void {
    this.#commands.push(command);
  }

  /** One step, or less. `nowUs`: real time in microseconds from a clock that never goes back. */
  turn(nowUs: number): Turn {
    const next = this.#waiting === null ? this.#advance(nowUs) : this.#await(this.#waiting);
    const events = this.#events;
    this.#events = [];
    return { events, next };
  }

  #advance(nowUs: number): Next {
    while (this.#waiting === null) {
      const command = this.#commands.shift();
      if (command === undefined) break;
      this.#obey(command, nowUs);
    }
    if (this.#waiting !== null) return { kind: "await", promise: this.#waiting };
    const next = this.#execution.over ? this.#replayer.rest() : this.#execute(nowUs);
    if (next.kind !== "await") return next;
    return this.#await(next.promise);
  }

  #execute(nowUs: number): Next {
    switch (this.#mode) {
      case "replaying":
        return this.#replay(nowUs);
      case "paused":
        return this.#recorder.rest(nowUs, Number.POSITIVE_INFINITY);
      case "recording":
        return this.#record(nowUs);
    }
  }

  #replay(nowUs: number): Next {
    const next = this.#replayer.turn(nowUs);
    if (next !== "drained") return next;
    if (this.#goLive === null) return this.#replayer.rest();
    this.#replayer.leave();
    this.#startRecording(nowUs, this.#goLive);
    return { kind: "run" };
  }

  #record(nowUs: number): Next {
    const next = this.#recorder.turn(nowUs);
    if (next !== "paused") return next;
    this.#mode = "paused";
    return { kind: "run" };
  }

  #startRecording(nowUs: number, inputs: readonly LogInput[]): void {
    assert(this.#execution.exists, "only a runner with a machine can go live");
    assert(!this.#execution.delivered, "the snapshot's own entry is replayed before going live");
    this.#goLive = null;
    this.#mode = "recording";
    this.#recorder.start(nowUs, inputs);
  }

  #obey(command: ExecutorCommand, nowUs: number): void {
    switch (command.kind) {
      case "record":
        if (this.#mode === "paused") this.#startRecording(nowUs, command.inputs);
        else this.#goLive = command.inputs;
        return;
      case "replay":
        assert(this.#mode !== "recording", "a recorder replays nothing before it is paused");
        this.#followAgain();
        this.#recorder.pace.observe(nowUs, command.batch.timeUs);
        this.#replayer.accept(command.batch);
        return;
      case "stop":
        assert(this.#mode !== "recording", "a recorder is paused before it is stopped");
        this.#followAgain();
        return;
      case "pause":
        // One that comes before the runner is live stops it at its first entry.
        if (this.#mode === "recording" || this.#goLive !== null) this.#recorder.pause();
        return;
      case "input":
        this.#recorder.input(command.input);
        return;
      case "allowance":
        this.#recorder.allow(command.through, command.printed);
        return;
      case "cpuLimit":
        this.#recorder.cpuLimit = command.share;
        return;
      case "takeSnapshot":
        this.#recorder.takeSnapshot(command.id);
        return;
      case "readSnapshot":
        this.#recorder.readSnapshot(command.id);
        return;
      case "releaseSnapshot":
        this.#recorder.releaseSnapshot(command.id);
        return;
      case "beginRestore":
        this.#beginRestore(command);
        return;
      case "restoreChunk":
        this.#restoreChunk(command);
        return;
      case "finishRestore":
        this.#finishRestore(command);
        return;
    }
  }

  #followAgain(): void {
    if (this.#mode === "replaying") return;
    this.#mode = "replaying";
    this.#recorder.stop();
  }

  #beginRestore({ id, memoryBytes }: ExecutorCommand & { kind: "beginRestore" }): void {
    assert(this.#mode === "replaying", "a recorder is not overwritten by a snapshot");
    this.#restore = null;
    const { newTarget, newHash } = this.#parts;
    this.#continueAfter(
      newTarget(memoryBytes).then(
        (target) => () => {
          this.#restore = new Restore(id, memoryBytes, target, newHash());
        },
        (error) => () => this.#restoreFailed(id, describe(error)),
      ),
    );
  }

  /** Chunks of a restore that was broken off, or has failed, are of no interest. */
  #restoreChunk({ id, offset, bytes }: ExecutorCommand & { kind: "restoreChunk" }): void {
    if (this.#restore?.id !== id) return;
    const problem = this.#restore.write(offset, bytes);
    if (problem !== null) this.#restoreFailed(id, problem);
  }

  #finishRestore(command: ExecutorCommand & { kind: "finishRestore" }): void {
    const { id, first, devices, hash } = command;
    if (this.#restore?.id !== id) return;
    const target = this.#restore.complete(devices, hash);
    this.#restore = null;
    if (typeof target === "string") {
      this.#restoreFailed(id, target);
      return;
    }
    this.#continueAfter(
      target.finish(devices).then(
        (machine) => () => {
          this.#execution.replace(machine, first);
          this.#replayer.restored(first, hash);
          this.#events.push({ kind: "restored", id, first, history: machine.consoleHistory() });
        },
        (error) => () => this.#restoreFailed(id, describe(error)),
      ),
    );
  }

  #restoreFailed(id: number, message: string): void {
    this.#restore = null;
    this.#events.push({ kind: "restoreFailed", id, message });
  }

  #continueAfter(promise: Promise<Continuation>): void {
    this.#await(promise.then((proceed) => proceed()));
  }

  #await(promise: Promise<void>): Next {
    if (this.#waiting !== promise) {
      const waiting = promise.then(() => {
        if (this.#waiting === waiting) this.#waiting = null;
      });
      this.#waiting = waiting;
    }
    return { kind: "await", promise: this.#waiting };
  }
}
