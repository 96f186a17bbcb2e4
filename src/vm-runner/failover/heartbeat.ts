/**
 * What a heartbeat says, and which ones are signs of life. It is one line of text, `lockstep VM
 * NONCE EPOCH COUNTER`. The counter only grows, so that an old datagram sent again is no sign of
 * life. Whether a line is authentic is known outside.
 */
import type { Epoch, Nonce } from "../../shared/protocol/record.ts";

/** Runners whose counter is remembered: the two halves, and those just restarted. */
const sendersMax = 16;

export interface HeartbeatNames {
  readonly vm: string;
  /** Of this runner. */
  readonly nonce: Nonce;
}

/** Writes the lines of one runner. */
export class HeartbeatWriter {
  readonly #names: HeartbeatNames;
  #counter = 0;

  constructor(names: HeartbeatNames) {
    this.#names = names;
  }

  /** The next line. */
  next(epoch: Epoch): string {
    const { vm, nonce } = this.#names;
    return `lockstep ${vm} ${nonce} ${epoch} ${++this.#counter}`;
  }
}

/** Judges the lines that one runner hears. */
export class HeartbeatJudge {
  readonly #names: HeartbeatNames;
  readonly #counters = new Map<Nonce, number>();

  constructor(names: HeartbeatNames) {
    this.#names = names;
  }

  /** The runner of which this authentic line is a new sign of life; null: of none. */
  accept(line: string): Nonce | null {
    const [, vm, sender, , count] = line.split(" ");
    if (vm !== this.#names.vm || sender === undefined || sender === this.#names.nonce) return null;
    const counter = Number(count);
    if (!Number.isSafeInteger(counter) || counter <= (this.#counters.get(sender) ?? 0)) return null;
    this.#counters.delete(sender);
    this.#counters.set(sender, counter);
    this.#forgetOldest();
    return sender;
  }

  /** The map keeps its order of insertion: the first is the one longest unheard of. */
  #forgetOldest(): void {
    const [oldest] = this.#counters.keys();
    if (this.#counters.size > sendersMax && oldest !== undefined) this.#counters.delete(oldest);
  }
}
