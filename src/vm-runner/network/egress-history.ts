/**
 * The guest's last frames, by number: what a gateway is given that did not get them from the lost
 * primary. A backup remembers what it executes; only what may leave under the Output Rule is shown.
 */
import { bytesIn } from "../../shared/bytes.ts";
import { egressHistoryBytes } from "../../shared/limits.ts";

/** Frames whose numbers follow one another. */
export interface EgressRun {
  /** Number of the first frame among all that the guest ever sent. */
  readonly first: number;
  /** At least one. */
  readonly frames: readonly Uint8Array[];
}

interface KeptRun extends EgressRun {
  readonly bytes: number;
}

/** Runs that are forgotten one by one before the list is moved to its front. */
const forgottenMax = 1_024;

export class EgressHistory {
  /** In the order of their numbers; those before `#head` are forgotten. */
  #runs: (KeptRun | null)[] = [];
  #head = 0;
  #bytes = 0;
  /** Number after the last frame kept. */
  #end = 0;
  /** Every frame below this number may be shown. */
  #shown = 0;

  /**
   * Keeps what the guest sent, and gives what of it is new; null: nothing is. Between two runs
   * numbers may be missing: frames that were held too long are dropped.
   */
  remember({ first, frames }: EgressRun): EgressRun | null {
    const known = Math.max(0, this.#end - first);
    if (known >= frames.length) return null;
    const run = known === 0 ? { first, frames } : { first: this.#end, frames: frames.slice(known) };
    const bytes = bytesIn(run.frames);
    this.#runs.push({ ...run, bytes });
    this.#bytes += bytes;
    this.#end = run.first + run.frames.length;
    this.#forget();
    return run;
  }

  /** Every frame remembered below `number` may be shown. */
  show(number: number): void {
    this.#shown = Math.max(this.#shown, number);
  }

  showAll(): void {
    this.show(this.#end);
  }

  /** What may be shown from `number` on; begins later when that is kept no more. */
  from(number: number): EgressRun[] {
    const wanted: EgressRun[] = [];
    for (let at = this.#runs.length - 1; at >= this.#head; at--) {
      const run = this.#runs[at];
      if (!run || run.first + run.frames.length <= number) break;
      const shown = part(run, number, this.#shown);
      if (shown !== null) wanted.push(shown);
    }
    return wanted.reverse();
  }

  /** Whole runs, as long as enough is kept without them. */
  #forget(): void {
    for (let oldest = this.#runs[this.#head]; oldest; oldest = this.#runs[this.#head]) {
      if (this.#bytes - oldest.bytes < egressHistoryBytes) break;
      this.#bytes -= oldest.bytes;
      this.#runs[this.#head++] = null;
    }
    if (this.#head < Math.max(forgottenMax, this.#runs.length / 2)) return;
    this.#runs = this.#runs.slice(this.#head);
    this.#head = 0;
  }
}

/** The frames with numbers from `from` to below `to`. */
function part({ first, frames }: EgressRun, from: number, to: number): EgressRun | null {
  const skipped = Math.max(0, from - first);
  const wanted = frames.slice(skipped, Math.max(skipped, to - first));
  return wanted.length === 0 ? null : { first: first + skipped, frames: wanted };
}
