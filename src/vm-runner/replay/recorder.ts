/**
 * Makes log entries and runs their steps (replayer.ts is its mirror). An entry is complete before
 * its step runs; one that carries an input leaves at once, so that it is on its way to the backup
 * while its step runs, and a batch always leaves before any output of its steps does.
 */
import { assert } from "../../shared/assert.ts";
import { batchIntervalMs, signOfLifeMs } from "../../shared/limits.ts";
import {
  BatchEncoder,
  hasWindow,
  signOfLife,
  windowCheckInterval,
} from "../logging-channel/codec.ts";
import type { RegisterChecks, SnapshotSource } from "../machine/machine.ts";
import { CpuShare } from "./cpu-share.ts";
import { describe, type Emit, type Execution, type Next } from "./execution.ts";
import type { IncrementalHash } from "./frozen-state.ts";
import { InputQueue } from "./input-queue.ts";
import type { IngressInput, LogEntry, LogInput, StepIndex } from "./log-entry.ts";
import { Pace } from "./pace.ts";
import { SnapshotTaking } from "./snapshot-taking.ts";

/** An entry whose inputs are delivered, while the machine moves. */
interface Move {
  readonly entry: LogEntry;
  readonly checks: RegisterChecks;
  readonly window: number | null;
  readonly startUs: number;
  result: { readonly source: SnapshotSource } | { readonly message: string } | null;
}

export class Recorder {
  readonly pace = new Pace();
  readonly #share = new CpuShare();
  readonly #queue = new InputQueue();
  readonly #snapshots: SnapshotTaking;
  readonly #execution: Execution;
  readonly #emit: Emit;
  /** No bounds until the pair sets some. */
  #throughMax: StepIndex = Number.MAX_SAFE_INTEGER;
  #printedMax = Number.MAX_SAFE_INTEGER;
  #printed = 0;
  #encoder: BatchEncoder | null = null;
  #openedUs = 0;
  #sentUs = 0;
  /** Recorded, its step not run. */
  #pending: LogEntry | null = null;
  #steppedUs: number | null = null;
  #move: Move | null = null;
  #pauseWanted = false;
  /** Not while another runner's entries are executed: nobody knows yet what the guest was given. */
  #recording = false;

  constructor(execution: Execution, emit: Emit, newHash: () => IncrementalHash) {
    this.#execution = execution;
    this.#emit = emit;
    this.#snapshots = new SnapshotTaking(emit, newHash);
  }

  /** Waits before an entry above `through`, and once the console has printed up to `printed`. */
  allow(through: StepIndex, printed: number): void {
    this.#throughMax = through;
    this.#printedMax = printed;
  }

  set cpuLimit(share: number) {
    assert(share > 0 && share <= 1, `CPU limit ${share} is not above 0 and at most 1`);
    this.#share.share = share;
  }

  /** Recording begins with entry `execution.next`, which carries `inputs`. */
  start(nowUs: number, inputs: readonly LogInput[]): void {
    this.#recording = true;
    const typed = this.#queue.takeTyped();
    for (const input of [...inputs, ...typed]) this.input(input);
    this.pace.start(nowUs, this.#execution.timeUs);
    this.#sentUs = nowUs;
    this.#steppedUs = null;
    const { next, machine } = this.#execution;
    const { position, bytes } = machine.consoleHistory();
    this.#printed = position + bytes.length;
    const { announcement } = machine;
    this.#emit({ kind: "live", next, printed: this.#printed, announcement });
    this.#acceptFrames(next - 1);
  }

  input(input: LogInput): void {
    switch (input.kind) {
      case "console":
        this.#queue.pushTyped(input, this.#givenOf(input.writer));
        return;
      case "ingress":
        this.#pushFrames(input);
        return;
      default:
        this.#queue.push(input);
    }
  }

  /** Stop at the next entry boundary. */
  pause(): void {
    this.#pauseWanted = true;
  }

  /** Another runner records from here on. */
  stop(): void {
    this.#recording = false;
    this.#queue.clear();
    this.#snapshots.fail("another runner records now");
  }

  takeSnapshot(id: number): void {
    this.#snapshots.ask(id, this.#execution.machine);
  }

  readSnapshot(id: number): void {
    const hash = this.#snapshots.read(id);
    if (hash !== null) this.#queue.push(hash);
  }

  releaseSnapshot(id: number): void {
    this.#snapshots.release(id);
  }

  /** One entry or one step; "paused" once the recorder stands still. */
  turn(nowUs: number): Next | "paused" {
    if (this.#steppedUs !== null) this.#share.spend(nowUs - this.#steppedUs);
    this.#steppedUs = null;
    this.#snapshots.report();
    if (this.#move !== null) return this.#afterMove(nowUs, this.#move);
    if (this.#pending !== null) return this.#run(nowUs, this.#pending);
    if (this.#pauseWanted) return this.#stand(nowUs);
    const waitUs = this.#waitUs(nowUs);
    if (waitUs > 0) return this.#politely(this.rest(nowUs, waitUs));
    const entry = this.#makeEntry(nowUs);
    if (this.#snapshots.prepared && !powersOff(entry)) return this.#snapshot(nowUs, entry);
    this.#record(nowUs, entry);
    if (this.#execution.over || this.#encoder === null) return { kind: "run" };
    return this.#politely(this.#run(nowUs, entry));
  }

  /** Waits with the guest, and shows signs of life. */
  rest(nowUs: number, waitUs: number): Next {
    let us = waitUs;
    if (this.#encoder !== null) {
      const dueUs = this.#openedUs + batchIntervalMs * 1000 - nowUs;
      if (waitUs >= dueUs) this.#flush(nowUs);
      else us = Math.min(us, dueUs);
    }
    // An open batch goes instead: a sign of life stands behind all that was recorded.
    if (nowUs - this.#sentUs >= signOfLifeMs * 1000) this.#flush(nowUs);
    if (nowUs - this.#sentUs >= signOfLifeMs * 1000) {
      const { next, timeUs } = this.#execution;
      this.#emit({ kind: "recorded", batch: signOfLife(next, timeUs) });
      this.#sentUs = nowUs;
    }
    return { kind: "sleep", us: Math.min(us, this.#sentUs + signOfLifeMs * 1000 - nowUs) };
  }

  #stand(nowUs: number): "paused" {
    this.#flush(nowUs);
    this.#pauseWanted = false;
    this.#emit({ kind: "paused", next: this.#execution.next });
    return "paused";
  }

  #waitUs(nowUs: number): number {
    const { machine, next, timeUs, sleepUs } = this.#execution;
    const limitedUs = this.#share.waitUs(nowUs);
    if (limitedUs > 0) return limitedUs;
    const mayGoOn = next <= this.#throughMax && this.#printed < this.#printedMax;
    if (!mayGoOn) return Number.POSITIVE_INFINITY;
    if (this.#snapshots.prepared || this.#queue.hasInput(machine)) return 0;
    return this.pace.waitUs(nowUs, timeUs, sleepUs);
  }

  #makeEntry(nowUs: number): LogEntry {
    const { machine, next, timeUs, sleepUs } = this.#execution;
    const time = this.pace.next(nowUs, timeUs, sleepUs);
    return { index: next, timeUs: time, inputs: this.#queue.take(machine) };
  }

  #record(nowUs: number, entry: LogEntry): void {
    const { machine } = this.#execution;
    if (this.#encoder === null) {
      this.#encoder = new BatchEncoder(entry.index, machine.registers());
      this.#openedUs = nowUs;
    }
    this.#encoder.add({ entry, window: this.#window(entry.index) });
    const due = nowUs - this.#openedUs >= batchIntervalMs * 1000;
    if (entry.inputs.length > 0 || due || !this.#encoder.hasRoom) this.#flush(nowUs);
    if (powersOff(entry)) {
      this.#execution.over = true;
      this.#emit({ kind: "poweredOff", index: entry.index });
      return;
    }
    this.#pending = entry;
  }

  #run(nowUs: number, entry: LogEntry): Next {
    this.#pending = null;
    this.#steppedUs = nowUs;
    const outcome = this.#execution.step(entry);
    if (outcome.kind === "trapped") {
      this.#trap(nowUs, entry.index, outcome.message);
      return { kind: "run" };
    }
    if (outcome.outputs.length > 0) this.#flush(nowUs);
    for (const output of outcome.outputs) {
      if (output.kind === "console") this.#printed = output.position + output.bytes.length;
      this.#emit({ kind: "output", index: entry.index, output });
    }
    this.#acceptInputs(entry);
    if (outcome.kind === "poweredOff") {
      this.#flush(nowUs);
      this.#execution.over = true;
      this.#emit({ kind: "poweredOff", index: entry.index });
    }
    return { kind: "run" };
  }

  /** Whoever sent it learns that it is in the log: an output like any other, under the Output Rule. */
  #acceptInputs({ index, inputs }: LogEntry): void {
    const { machine } = this.#execution;
    const writers = inputs.flatMap((input) => (input.kind === "console" ? [input.writer] : []));
    for (const writer of new Set(writers)) {
      const position = machine.writerPosition(writer);
      this.#emit({ kind: "output", index, output: { kind: "accepted", writer, position } });
    }
    if (inputs.some(({ kind }) => kind === "ingress")) this.#acceptFrames(index);
  }

  /** The gateway learns what it need not send again: all that the entries up to `index` brought. */
  #acceptFrames(index: StepIndex): void {
    const { ingress } = this.#execution.machine;
    if (ingress === null) return;
    assert(index >= 0, "the guest has taken frames before its first entry");
    this.#emit({ kind: "output", index, output: { kind: "ingressAccepted", ...ingress } });
  }

  #pushFrames(input: IngressInput): void {
    // Before it records nobody can say what the guest was given; its card drops what it has.
    const given = this.#recording ? this.#execution.machine.ingress : null;
    this.#queue.pushFrames(input, given);
  }

  /** The entry is logged all the same: it is how the trap is reproduced. */
  #trap(nowUs: number, index: StepIndex, message: string): void {
    this.#flush(nowUs);
    this.#execution.over = true;
    this.#emit({ kind: "trapped", index, message });
  }

  #snapshot(nowUs: number, entry: LogEntry): Next {
    const { machine } = this.#execution;
    this.#flush(nowUs);
    const move: Move = {
      entry,
      checks: machine.registers(),
      window: this.#window(entry.index),
      startUs: nowUs,
      result: null,
    };
    machine.deliver(entry);
    this.#execution.delivered = true;
    this.#move = move;
    const promise = machine.move().then(
      (source) => {
        move.result = { source };
      },
      (error) => {
        move.result = { message: describe(error) };
      },
    );
    return { kind: "await", promise };
  }

  /** Only now is the entry written: it says that the machine moved only if it did. */
  #afterMove(nowUs: number, { entry, checks, window, startUs, result }: Move): Next {
    assert(result !== null, "the move has ended");
    const moved = "source" in result;
    const inputs: LogInput[] = moved ? [...entry.inputs, { kind: "snapshot" }] : [...entry.inputs];
    this.#move = null;
    this.#pending = { ...entry, inputs };
    this.#encoder = new BatchEncoder(entry.index, checks);
    this.#encoder.add({ entry: this.#pending, window });
    // Said before the entry: from this entry on the log is kept for whoever gets the snapshot.
    if (moved) this.#snapshots.taken(entry.index, result.source, (nowUs - startUs) / 1000);
    else this.#snapshots.fail(result.message);
    this.#flush(nowUs);
    return { kind: "run" };
  }

  /** Position after the last byte of `writer` that is in an entry; see `InputQueue.pushTyped`. */
  #givenOf(writer: number): number | null {
    if (!this.#recording) return null;
    const given = this.#execution.machine.writerPosition(writer);
    // An entry may wait for its step.
    const inputs = this.#pending?.inputs ?? [];
    const ends = inputs.map((input) => {
      const own = input.kind === "console" && input.writer === writer;
      return own ? input.position + input.bytes.length : 0;
    });
    return Math.max(given, ...ends);
  }

  #window(index: StepIndex): number | null {
    if (!hasWindow(index)) return null;
    return this.#execution.machine.windowChecksum(index / windowCheckInterval);
  }

  #flush(nowUs: number): void {
    if (this.#encoder === null) return;
    this.#emit({ kind: "recorded", batch: this.#encoder.finish() });
    this.#encoder = null;
    this.#sentUs = nowUs;
  }

  /** While a spare is made the event loop must turn. */
  #politely(next: Next): Next {
    if (!this.#snapshots.preparing) return next;
    return { kind: "yield", us: next.kind === "sleep" ? next.us : 0 };
  }
}

function powersOff(entry: LogEntry): boolean {
  return entry.inputs.some(({ kind }) => kind === "powerOff");
}
