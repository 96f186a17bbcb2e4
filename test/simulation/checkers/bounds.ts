/**
 * Nothing grows without a bound: each buffer stays within the limit it names itself, and two are
 * counted here from outside. Held console bytes must fit into the history that the backup keeps
 * (else a reader could miss some after a failover), and the log must not run away from a named
 * backup.
 */
import { consoleHistoryBytes, unacknowledgedEntriesMax } from "../../../src/shared/limits.ts";
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { PairInput } from "../../../src/vm-runner/failover/pair-types.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";
import { type Checker, Violation } from "./checker.ts";
import { Possession } from "./possession.ts";

type Buffer = SimEvent & { readonly kind: "buffer" };

export interface CountedBounds {
  /** Console bytes printed and not let out. */
  readonly heldBytes: number;
  /** Entries recorded that the named backup does not have. */
  readonly aheadEntries: number;
}

/** A primary notices a full buffer with its next batch: this much more than the bound itself. */
const entriesSlack = 2_000;

export class BoundsChecker implements Checker {
  readonly #bounds: CountedBounds;
  readonly #possession = new Possession();
  readonly #printed = new Map<Nonce, number>();
  readonly #released = new Map<Nonce, number>();
  #record: VmRecord | null = null;

  constructor(bounds: Partial<CountedBounds> = {}) {
    const aheadEntries = unacknowledgedEntriesMax + entriesSlack;
    this.#bounds = { heldBytes: consoleHistoryBytes, aheadEntries, ...bounds };
  }

  observe(event: SimEvent): void {
    this.#possession.observe(event);
    switch (event.kind) {
      case "buffer":
        this.#mustFit(event);
        return;
      case "granted":
        this.#record = event.record;
        return;
      case "lived":
        this.#released.delete(event.process);
        return;
      case "input":
        if (event.role === "primary") this.#heard(event.process, event.input);
        return;
      case "released":
        if (event.output.kind !== "console") return;
        this.#released.set(event.process, event.output.position + event.output.bytes.length);
        return;
      default:
    }
  }

  finish(): void {}

  #mustFit({ process, buffer, size, limit }: Buffer): void {
    if (size <= limit) return;
    const message = `${process}: the ${buffer} has grown to ${size}, and its limit is ${limit}`;
    throw new Violation("bounds", message);
  }

  /** What the primary's core hears from its machine: only from here on it can do something. */
  #heard(process: Nonce, input: PairInput): void {
    if (input.kind !== "executor") return;
    const { event } = input;
    if (event.kind === "recorded") {
      this.#mustNotRunAway(process, event.batch.first + event.batch.count - 1);
      this.#mustNotHoldMore(process);
    }
    if (event.kind !== "output" || event.output.kind !== "console") return;
    this.#printed.set(process, event.output.position + event.output.bytes.length);
  }

  #mustNotRunAway(process: Nonce, recorded: StepIndex): void {
    const record = this.#record;
    if (record?.primary !== process || record.backup === null) return;
    const ahead = recorded - this.#possession.through(record.backup);
    if (ahead <= this.#bounds.aheadEntries) return;
    const message = `${process} has recorded ${ahead} entries that its backup ${record.backup} does not have, and ${this.#bounds.aheadEntries} are the limit`;
    throw new Violation("bounds", message);
  }

  /** Only of a process that has let something out: what it printed as a backup is not held. */
  #mustNotHoldMore(process: Nonce): void {
    const released = this.#released.get(process);
    const printed = this.#printed.get(process);
    if (released === undefined || printed === undefined) return;
    const held = printed - released;
    if (held <= this.#bounds.heldBytes) return;
    const message = `${process} holds ${held} console bytes that it has printed, and ${this.#bounds.heldBytes} are the limit`;
    throw new Violation("bounds", message);
  }
}
