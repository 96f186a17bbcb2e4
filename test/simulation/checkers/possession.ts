/** Which log entries each process has in its hands, by what reached it over the network. */
import type { Nonce } from "../../../src/shared/protocol/record.ts";
import type { Batch } from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";

/** Entries that came without a gap. */
interface Range {
  from: StepIndex;
  through: StepIndex;
}

interface Held {
  /** Of a machine that stands: it has everything before `from` as a state. */
  standing: Range | null;
  /** The log of a transfer that is under way. */
  coming: Range | null;
}

export class Possession {
  readonly #held = new Map<Nonce, Held>();

  /** The last entry up to which this process has everything; -1: nothing. */
  through(process: Nonce): StepIndex {
    return this.#held.get(process)?.standing?.through ?? -1;
  }

  observe(event: SimEvent): void {
    if (event.kind === "received") this.#received(event.process, event.batch);
    if (event.kind === "recorded") this.#stands(event.process, lastOf(event.batch));
    if (event.kind === "executed") this.#stands(event.process, event.step.entry.index);
    if (event.kind === "restored") this.#restored(event.process, event.first);
  }

  #received(process: Nonce, batch: Batch): void {
    if (batch.count === 0) return;
    const held = this.#of(process);
    const last = lastOf(batch);
    if (held.standing !== null && continues(held.standing, batch.first)) {
      held.standing.through = Math.max(held.standing.through, last);
    } else if (held.coming !== null && continues(held.coming, batch.first)) {
      // What came twice may be of another transfer: the later one counts.
      held.coming.through = last;
    } else {
      // A stream has no gaps: another transfer begins.
      held.coming = { from: batch.first, through: last };
    }
  }

  /** Of all that came, only what continues the snapshot is of use. */
  #restored(process: Nonce, first: StepIndex): void {
    const held = this.#of(process);
    const log = [held.coming, held.standing].find((range) => range && continues(range, first));
    held.standing = { from: first, through: Math.max(first - 1, log?.through ?? -1) };
    held.coming = null;
  }

  #stands(process: Nonce, last: StepIndex): void {
    const held = this.#of(process);
    held.standing ??= { from: 0, through: last };
    held.standing.through = Math.max(held.standing.through, last);
  }

  #of(process: Nonce): Held {
    let held = this.#held.get(process);
    if (held === undefined) {
      held = { standing: null, coming: null };
      this.#held.set(process, held);
    }
    return held;
  }
}

function continues({ from, through }: Range, first: StepIndex): boolean {
  return first >= from && first <= through + 1;
}

function lastOf(batch: Batch): StepIndex {
  return batch.first + batch.count - 1;
}
