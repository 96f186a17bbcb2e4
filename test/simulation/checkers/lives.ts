/**
 * A VM that lost both halves, or was switched off, is booted anew: another life. Nothing of one life
 * goes on in another, so each is judged by checkers of its own, over what its own processes do and
 * its own console readers see. What concerns all of them, such as a gateway's start, is told to all.
 */
import type { Epoch, Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { SimEvent } from "../events.ts";
import type { Checker, Outcome } from "./checker.ts";

interface Life {
  readonly checkers: readonly Checker[];
  /** The last record of this life. */
  record: VmRecord;
}

export class LivesChecker implements Checker {
  readonly #newCheckers: () => readonly Checker[];
  readonly #lives = new Map<Epoch, Life>();
  #newest: Life | null = null;
  #record: VmRecord | null = null;
  /** What a later life's checkers must know of the time before it. */
  readonly #shared: SimEvent[] = [];
  readonly #processes = new Map<Nonce, Epoch>();
  readonly #readers = new Map<number, Epoch>();
  /** What a reader typed before it was told in which life. */
  readonly #early = new Map<number, SimEvent[]>();

  constructor(newCheckers: () => readonly Checker[]) {
    this.#newCheckers = newCheckers;
  }

  observe(event: SimEvent): void {
    switch (event.kind) {
      case "granted":
        this.#granted(event, event.record);
        return;
      case "joined":
        this.#processes.set(event.process, event.life);
        return;
      case "follows":
        this.#follows(event.writer, event.life);
        return;
      case "typed":
      case "accepted":
      case "seen":
        this.#ofReader(event.writer, event);
        return;
      case "received":
      case "recorded":
      case "restored":
      case "executed":
      case "lived":
      case "released":
      case "ended":
      case "claimed":
        this.#ofProcess(event.process, event);
        return;
      case "attached":
      case "left":
        this.#ofProcess(event.runner, event);
        return;
      case "gatewayStarted":
      case "misled":
      case "entered":
      case "lost":
      case "fault":
        this.#ofAll(event);
        return;
      default:
    }
  }

  finish(outcome: Outcome): void {
    for (const life of this.#lives.values()) {
      const isLast = life === this.#newest;
      const own: Outcome = isLast ? outcome : { ...outcome, ending: "lost", record: life.record };
      for (const checker of life.checkers) checker.finish(own);
    }
  }

  #granted(event: SimEvent, record: VmRecord): void {
    const before = this.#record;
    this.#record = record;
    this.#shared.push(event);
    if (record.epoch > 0 && (before === null || beginsLife(before, record))) {
      const checkers = this.#newCheckers();
      this.#newest = { checkers, record };
      this.#lives.set(record.epoch, this.#newest);
      for (const earlier of this.#shared) tell(checkers, earlier);
      return;
    }
    if (this.#newest === null) return;
    this.#newest.record = record;
    tell(this.#newest.checkers, event);
  }

  #follows(writer: number, life: Epoch): void {
    this.#readers.set(writer, life);
    const early = this.#early.get(writer) ?? [];
    this.#early.delete(writer);
    for (const event of early) this.#ofReader(writer, event);
  }

  #ofReader(writer: number, event: SimEvent): void {
    const life = this.#readers.get(writer);
    if (life !== undefined) {
      tell(this.#lives.get(life)?.checkers ?? [], event);
      return;
    }
    const early = this.#early.get(writer);
    if (early === undefined) this.#early.set(writer, [event]);
    else early.push(event);
  }

  /** Whoever has no part in any life yet can do nothing in it. */
  #ofProcess(process: Nonce | null, event: SimEvent): void {
    const epoch = process === null ? undefined : this.#processes.get(process);
    const life = process === null ? this.#newest : this.#lives.get(epoch ?? -1);
    tell(life?.checkers ?? [], event);
  }

  #ofAll(event: SimEvent): void {
    this.#shared.push(event);
    for (const { checkers } of this.#lives.values()) tell(checkers, event);
  }
}

/** By `start` or `restart`: no other request names a primary whom the record did not name before. */
export function beginsLife(before: VmRecord, { primary }: VmRecord): boolean {
  return primary !== null && before.primary !== primary && before.backup !== primary;
}

function tell(checkers: readonly Checker[], event: SimEvent): void {
  for (const checker of checkers) checker.observe(event);
}
