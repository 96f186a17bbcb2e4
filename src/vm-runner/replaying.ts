/** Replays a log file on a machine made afresh, and compares every checksum in it. */
import { differingPart } from "./host/fingerprint.ts";
import { type ResolvedGuest, resolveGuest } from "./host/guest.ts";
import { LogFileReader } from "./host/log-file.ts";
import { startVmThread, type VmThread } from "./host/vm-thread.ts";
import type { Fingerprint } from "./logging-channel/messages.ts";
import type { Batch, ExecutorEvent, RunnerOutput } from "./replay/executor-protocol.ts";
import type { StepIndex } from "./replay/log-entry.ts";

export interface ReplayingOptions {
  readonly log: string;
  /** Instead of the guest that the log names. */
  readonly guest: string | null;
  /** Replay although this is another kind of computer or version: it may diverge. */
  readonly ignoreFingerprint: boolean;
  readonly onOutput: (output: RunnerOutput) => void;
  readonly onProgress: (text: string) => void;
}

export interface ReplayEnd {
  readonly steps: StepIndex;
  readonly ended: "log" | "poweredOff" | ReplayFailure;
  /** The log was cut off; everything in it was replayed. */
  readonly truncated: boolean;
}

interface ReplayFailure {
  readonly kind: "diverged" | "trapped";
  readonly index: StepIndex;
  readonly what: string;
}

/** The log was recorded on another kind of computer, by another version, or of another guest. */
export class FingerprintError extends Error {
  override readonly name = "FingerprintError";
}

/** A log of a booted guest begins with a state that must be the same here. */
const bootPart = "booted state";
/** Batches given to the machine's thread and not executed. */
const batchesAheadMax = 64;

/** @throws LogFileError, FingerprintError, GuestError, MachineSpecError, BootError */
export async function replayLog(options: ReplayingOptions): Promise<ReplayEnd> {
  const reader = new LogFileReader(options.log);
  try {
    const { name, memoryMiB } = reader.header.guest;
    const guest = await resolveGuest(options.guest ?? name, memoryMiB, options.onProgress);
    compare(reader, guest, options);
    const ended = await new Session(reader, guest, options.onOutput).ended;
    return { ...ended, truncated: reader.truncated };
  } finally {
    reader.close();
  }
}

function compare({ header }: LogFileReader, guest: ResolvedGuest, options: ReplayingOptions): void {
  const there: Fingerprint = { ...header.fingerprint, [bootPart]: header.bootSnapshot ?? "none" };
  const here: Fingerprint = { ...guest.fingerprint.parts, [bootPart]: guest.bootSha256 ?? "none" };
  const part = differingPart(there, here);
  if (part === null) return;
  const message =
    `${options.log} was recorded on a different machine: ` +
    `expected ${part} "${there[part] ?? "absent"}", found "${here[part] ?? "absent"}"`;
  if (!options.ignoreFingerprint) throw new FingerprintError(message);
  options.onProgress(`warning: ${message}; replaying all the same, it may diverge`);
}

class Session {
  readonly ended: Promise<Omit<ReplayEnd, "truncated">>;
  readonly #thread: VmThread;
  readonly #batches: Iterator<Batch>;
  readonly #onOutput: (output: RunnerOutput) => void;
  #resolve: (end: Omit<ReplayEnd, "truncated">) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  /** Last entries of the batches under way. */
  readonly #lasts: StepIndex[] = [];
  #executed: StepIndex = -1;
  #over = false;

  constructor(
    reader: LogFileReader,
    guest: ResolvedGuest,
    onOutput: (output: RunnerOutput) => void,
  ) {
    this.#batches = reader.batches();
    this.#onOutput = onOutput;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#thread = startVmThread({ ...guest, onEvents: (events) => this.#onEvents(events) });
  }

  #onEvents(events: readonly ExecutorEvent[]): void {
    try {
      for (const event of events) if (!this.#over) this.#onEvent(event);
      if (!this.#over) this.#feed();
    } catch (error) {
      this.#over = true;
      this.#thread.terminate().then(() => this.#reject(error), this.#reject);
    }
  }

  #onEvent(event: ExecutorEvent): void {
    switch (event.kind) {
      case "output":
        this.#onOutput(event.output);
        return;
      case "executed":
        this.#executed = event.index;
        while ((this.#lasts[0] ?? Number.POSITIVE_INFINITY) <= event.index) this.#lasts.shift();
        return;
      case "poweredOff":
        this.#finish("poweredOff");
        return;
      case "diverged":
        this.#finish({ kind: "diverged", index: event.index, what: event.what });
        return;
      case "trapped":
        this.#finish({ kind: "trapped", index: event.index, what: event.message });
        return;
      default:
        // The others are said by recorders and by receivers of snapshots.
        return;
    }
  }

  #feed(): void {
    while (this.#lasts.length < batchesAheadMax) {
      const { done, value: batch } = this.#batches.next();
      if (done === true) {
        if (this.#lasts.length === 0) this.#finish("log");
        return;
      }
      if (batch.count === 0) continue;
      this.#lasts.push(batch.first + batch.count - 1);
      this.#thread.command({ kind: "replay", batch });
    }
  }

  #finish(ended: ReplayEnd["ended"]): void {
    this.#over = true;
    const end = { steps: this.#executed + 1, ended };
    this.#thread.terminate().then(() => this.#resolve(end), this.#reject);
  }
}
