/**
 * Records one machine into a log file, without a pair: the file stands where the backup would. An
 * output is shown only when its batch was written.
 */
import { type ResolvedGuest, resolveGuest } from "./host/guest.ts";
import { LogFileWriter } from "./host/log-file.ts";
import { startInput } from "./host/start-input.ts";
import { startVmThread, type VmThread } from "./host/vm-thread.ts";
import type { ExecutorEvent, RunnerOutput } from "./replay/executor-protocol.ts";
import type { LogInput, StepIndex } from "./replay/log-entry.ts";

export interface RecordingOptions {
  /** "default", "servers", "tiny" or a directory. */
  readonly guest: string;
  readonly memoryMiB: number;
  readonly log: string;
  readonly onOutput: (output: RunnerOutput) => void;
  readonly onProgress: (text: string) => void;
}

export type RecordingEnd =
  | { readonly kind: "stopped" | "poweredOff"; readonly steps: StepIndex; readonly bytes: number }
  | { readonly kind: "trapped"; readonly index: StepIndex; readonly message: string };

export interface Recording {
  input(input: LogInput): void;
  /** Ends at the next entry. */
  stop(): void;
  /** Rejects with LogFileError when the log cannot be written. */
  readonly ended: Promise<RecordingEnd>;
}

/** @throws GuestError, MachineSpecError, BootError, LogFileError */
export async function startRecording(options: RecordingOptions): Promise<Recording> {
  const guest = await resolveGuest(options.guest, options.memoryMiB, options.onProgress);
  const log = new LogFileWriter(options.log, {
    fingerprint: guest.fingerprint.parts,
    guest: { name: options.guest, memoryMiB: options.memoryMiB },
    bootSnapshot: guest.bootSha256,
  });
  const session = new Session(guest, log, options.onOutput);
  return {
    input: (input) => session.thread.command({ kind: "input", input }),
    stop: () => session.thread.command({ kind: "pause" }),
    ended: session.ended,
  };
}

class Session {
  readonly thread: VmThread;
  readonly ended: Promise<RecordingEnd>;
  readonly #log: LogFileWriter;
  readonly #onOutput: (output: RunnerOutput) => void;
  #resolve: (end: RecordingEnd) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #next: StepIndex = 0;
  #bytes = 0;
  #over = false;

  constructor(guest: ResolvedGuest, log: LogFileWriter, onOutput: (output: RunnerOutput) => void) {
    this.#log = log;
    this.#onOutput = onOutput;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.thread = startVmThread({ ...guest, onEvents: (events) => this.#onEvents(events) });
    this.thread.command({ kind: "record", inputs: [startInput()] });
  }

  #onEvents(events: readonly ExecutorEvent[]): void {
    try {
      for (const event of events) if (!this.#over) this.#onEvent(event);
    } catch (error) {
      this.#over = true;
      this.thread.terminate().then(() => this.#reject(error), this.#reject);
    }
  }

  #onEvent(event: ExecutorEvent): void {
    const [steps, bytes] = [this.#next, this.#bytes];
    switch (event.kind) {
      case "recorded":
        if (event.batch.count === 0) return;
        this.#log.append(event.batch);
        this.#next += event.batch.count;
        this.#bytes += event.batch.bytes.length;
        return;
      case "output":
        this.#onOutput(event.output);
        return;
      case "paused":
        this.#finish({ kind: "stopped", steps, bytes });
        return;
      case "poweredOff":
        this.#finish({ kind: "poweredOff", steps, bytes });
        return;
      case "trapped":
        this.#finish({ kind: "trapped", index: event.index, message: event.message });
        return;
      default:
        // The others answer commands that are not given here.
        return;
    }
  }

  #finish(end: RecordingEnd): void {
    this.#over = true;
    this.#log.finish();
    this.thread.terminate().then(() => this.#resolve(end), this.#reject);
  }
}
