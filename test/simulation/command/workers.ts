/**
 * Deals seeds to threads in small slices, from the first on, and adds up what comes back. Slices
 * begin in order and each is finished, so what was run is always without a gap.
 */
import { Worker } from "node:worker_threads";
import { textOf } from "./load-simulator.ts";
import { addCrash, addResult, emptyTally, type Failure, type Tally } from "./tally.ts";
import type { Slice, WorkerMessage, WorkerOptions } from "./worker.ts";

export interface SeedRange extends WorkerOptions {
  readonly first: number;
  readonly last: number;
  readonly workers: number;
  /** Nothing is dealt any more after this long; null: no bound. */
  readonly minutes: number | null;
  /** The first failure that satisfies this ends the work, once all lower seeds are done. */
  readonly isEnough: (failure: Failure) => boolean;
  readonly onProgress: (tally: Tally) => void;
}

export interface SeedsRun {
  readonly tally: Tally;
  readonly seconds: number;
  /** The failure of the lowest seed that was enough. */
  readonly enough: Failure | null;
}

const sliceSeeds = 8;
/** A run takes some 20 ms; one that takes this long hangs. */
const runMsMax = 60_000;
const defaultProgram = new URL("./worker.ts", import.meta.url);

/** `program`: the thread's main module (a test gives its own). Rejects when it does not load. */
export function runSeeds(range: SeedRange, program: URL = defaultProgram): Promise<SeedsRun> {
  return new Dealer(range, program).run();
}

/** One thread and what it has in hand. */
interface Hand {
  readonly worker: Worker;
  ready: boolean;
  next: number;
  last: number;
  /** Why it ends; null: it is not to end. */
  end: string | null;
  watch: NodeJS.Timeout | undefined;
}

class Dealer {
  readonly #range: SeedRange;
  readonly #program: URL;
  readonly #tally = emptyTally();
  readonly #hands = new Set<Hand>();
  readonly #begun = performance.now();
  #resolve: (run: SeedsRun) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #next: number;
  #enough: Failure | null = null;

  constructor(range: SeedRange, program: URL) {
    this.#range = range;
    this.#program = program;
    this.#next = range.first;
  }

  run(): Promise<SeedsRun> {
    const slices = Math.ceil((this.#range.last - this.#range.first + 1) / sliceSeeds);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      for (let i = 0; i < Math.min(this.#range.workers, slices); i++) this.#hire(null);
    });
  }

  /** Begins a thread, with the rest of another one's slice. */
  #hire(slice: Slice | null): void {
    const { shape, bug } = this.#range;
    const workerData: WorkerOptions = { shape, bug };
    const worker = new Worker(this.#program, { workerData });
    const { first: next, last } = slice ?? { first: 1, last: 0 };
    const hand: Hand = { worker, ready: false, next, last, end: null, watch: undefined };
    this.#hands.add(hand);
    worker.on("message", (message: WorkerMessage) => this.#onMessage(hand, message));
    worker.on("error", (error) => {
      hand.end ??= `the thread of the run died: ${textOf(error)}`;
    });
    worker.on("exit", (code) => this.#onExit(hand, code));
  }

  #onMessage(hand: Hand, message: WorkerMessage): void {
    if (!this.#hands.has(hand)) return;
    clearTimeout(hand.watch);
    if (message.kind === "idle") {
      this.#onIdle(hand);
      return;
    }
    hand.next = message.result.seed + 1;
    addResult(this.#tally, message.result);
    this.#onSeed(message.result.violation === null ? null : (this.#tally.failures.at(-1) ?? null));
    if (hand.next <= hand.last && this.#isOver(hand.next)) this.#dismiss(hand);
    else this.#watch(hand);
  }

  #onIdle(hand: Hand): void {
    const rest = !hand.ready && hand.next <= hand.last;
    hand.ready = true;
    const slice = rest ? { first: hand.next, last: hand.last } : this.#deal();
    if (slice === null) {
      this.#dismiss(hand);
      return;
    }
    hand.next = slice.first;
    hand.last = slice.last;
    hand.worker.postMessage(slice);
    this.#watch(hand);
  }

  #deal(): Slice | null {
    const { last, minutes } = this.#range;
    const minutesGone = (performance.now() - this.#begun) / 60_000;
    const isLate = minutes !== null && minutesGone >= minutes;
    if (isLate || this.#next > last || this.#isOver(this.#next)) return null;
    const slice = { first: this.#next, last: Math.min(last, this.#next + sliceSeeds - 1) };
    this.#next = slice.last + 1;
    return slice;
  }

  /** There is nothing to learn from this seed or a later one. */
  #isOver(seed: number): boolean {
    return this.#enough !== null && seed > this.#enough.seed;
  }

  #onSeed(failure: Failure | null): void {
    const isEnough = failure !== null && this.#range.isEnough(failure);
    if (isEnough && !this.#isOver(failure.seed)) this.#enough = failure;
    this.#range.onProgress(this.#tally);
  }

  #watch(hand: Hand): void {
    hand.watch = setTimeout(() => {
      hand.end = `the run was not finished after ${runMsMax / 1000} seconds of real time`;
      void hand.worker.terminate();
    }, runMsMax);
  }

  /** Nothing is left for this thread. */
  #dismiss(hand: Hand): void {
    this.#hands.delete(hand);
    void hand.worker.terminate();
    this.#finishIfDone();
  }

  /** Not dismissed: the thread has died of the seed that it was about. */
  #onExit(hand: Hand, code: number): void {
    clearTimeout(hand.watch);
    if (!this.#hands.delete(hand)) return;
    const message = hand.end ?? `the thread of the run ended with exit code ${code}`;
    if (!hand.ready) {
      this.#reject(new Error(`a thread of the simulator did not start: ${message}`));
      for (const other of this.#hands) this.#dismiss(other);
      return;
    }
    addCrash(this.#tally, { seed: hand.next, checker: "fail-stop", message });
    this.#onSeed(this.#tally.failures.at(-1) ?? null);
    this.#hire({ first: hand.next + 1, last: hand.last });
  }

  #finishIfDone(): void {
    if (this.#hands.size > 0) return;
    const seconds = (performance.now() - this.#begun) / 1000;
    this.#resolve({ tally: this.#tally, seconds, enough: this.#enough });
  }
}
