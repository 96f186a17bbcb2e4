/** Which log entries each process has in its hands, by what reached it over the network. */
import type { Nonce } from "../../../src/shared/protocol/record.ts";
import type { Batch } from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";

interface Held {
  /** The first entry of those that came without a gap. */
  from: StepIndex;
  through: StepIndex;
  /** Its machine stands: it has everything before `from` as a state. */
  standing: boolean;
}

export class Possession {
  readonly #held = new Map<Nonce, Held>();

  /** The last entry up to which this process has everything; -1: nothing. */
  through(process: Nonce): StepIndex {
    const held = this.#held.get(process);
    return held?.standing === true ? held.through : -1;
  }

  observe(event: SimEvent): void {
    if (event.kind === "received") this.#received(event.process, event.batch);
    if (event.kind === "recorded") this.#stands(event.process, lastOf(event.batch));
    if (event.kind === "executed") this.#stands(event.process, event.step.entry.index);
    if (event.kind === "restored") this.#restored(event.process, event.first);
  }

  #received(process: Nonce, batch: Batch): void {
    if (batch.count === 0) return;
    const held = this.#of(process, batch.first);
    const last = lastOf(batch);
    if (batch.first > held.through + 1 || batch.first < held.from) {
      // A stream has no gaps: a machine that stands cannot use this. Else a new transfer begins.
      if (!held.standing) Object.assign(held, { from: batch.first, through: last });
      return;
    }
    // Before its machine stands, what came twice may be of another transfer: the later one counts.
    held.through = held.standing ? Math.max(held.through, last) : last;
  }

  #restored(process: Nonce, first: StepIndex): void {
    const held = this.#of(process, first);
    if (first < held.from || first > held.through + 1) held.through = first - 1;
    held.from = first;
    held.standing = true;
  }

  #stands(process: Nonce, last: StepIndex): void {
    const held = this.#of(process, 0);
    held.standing = true;
    held.through = Math.max(held.through, last);
  }

  #of(process: Nonce, first: StepIndex): Held {
    let held = this.#held.get(process);
    if (held === undefined) {
      held = { from: first, through: first - 1, standing: false };
      this.#held.set(process, held);
    }
    return held;
  }
}

function lastOf(batch: Batch): StepIndex {
  return batch.first + batch.count - 1;
}
