/**
 * "Only one of primary and backup goes live" (the paper, section 2.3), judged where the world is:
 * behind fences that take outputs of the newest epoch they have seen and drop all others. Each
 * epoch has one owner, the primary that its record names; only the owner lives and lets outputs out
 * at that epoch (what it executed as backup even before it goes live); and what the fences take has no gap, though a superseded primary's late outputs
 * are dropped.
 */
import type { Epoch, Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { SimEvent } from "../events.ts";
import { type Checker, Violation } from "./checker.ts";
import { beginsLife } from "./lives.ts";

type Released = SimEvent & { readonly kind: "released" };
type Granted = SimEvent & { readonly kind: "granted" };

export class SingleLifeChecker implements Checker {
  readonly #records = new Map<Epoch, VmRecord>();
  readonly #lives = new Map<Epoch, Nonce>();
  readonly #lived = new Set<Nonce>();
  readonly #ended = new Set<Nonce>();
  /** The epoch at which the present life began: the fences were closed to those before. */
  #lifeEpoch: Epoch = -1;
  readonly #fence = { epoch: -1, printed: 0, dropped: 0 };

  /** Outputs of superseded primaries that the fences have dropped. */
  get dropped(): number {
    return this.#fence.dropped;
  }

  observe(event: SimEvent): void {
    switch (event.kind) {
      case "granted":
        this.#granted(event);
        return;
      case "ended":
        this.#ended.add(event.process);
        return;
      case "lived":
        this.#mustOwn(event.process, event.epoch, "lives");
        this.#live(event.process, event.epoch);
        return;
      case "released":
        this.#mustOwn(event.process, event.epoch, "let something out");
        this.#pass(event);
        return;
      case "recorded":
        if (event.batch.count > 0 && !this.#lived.has(event.process)) {
          const message = `${event.process} recorded entry ${event.batch.first} and never went live`;
          throw new Violation("single life", message);
        }
        return;
      default:
    }
  }

  finish(): void {}

  #granted({ record }: Granted): void {
    const known = this.#records.get(record.epoch);
    if (known !== undefined && known.primary !== record.primary) {
      throw new Violation(
        "single life",
        `epoch ${record.epoch} was granted to ${known.primary} and to ${record.primary}`,
      );
    }
    this.#records.set(record.epoch, record);
    const before = this.#records.get(record.epoch - 1);
    if (before !== undefined && beginsLife(before, record)) this.#begin(before, record);
  }

  /** Once for each loss: the VM lives in nobody when it begins to live anew. */
  #begin(before: VmRecord, { epoch, primary }: VmRecord): void {
    this.#lifeEpoch = epoch;
    for (const named of [before.primary, before.backup]) {
      if (named === null || this.#ended.has(named)) continue;
      const message = `${primary} begins the VM's life anew at epoch ${epoch}, and ${named}, named at epoch ${before.epoch}, lives`;
      throw new Violation("single life", message);
    }
  }

  #mustOwn(process: Nonce, epoch: Epoch, did: string): void {
    const record = this.#records.get(epoch);
    if (record === undefined) {
      const message = `${process} ${did} at epoch ${epoch}, which was never granted`;
      throw new Violation("single life", message);
    }
    if (record.primary === process) return;
    const message = `${process} ${did} at epoch ${epoch}, whose primary is ${record.primary}`;
    throw new Violation("single life", message);
  }

  /** The same process may go on at its epoch, after a hand-over that did not come about. */
  #live(process: Nonce, epoch: Epoch): void {
    const other = this.#lives.get(epoch) ?? process;
    if (other !== process) {
      const message = `${other} and ${process} both live at epoch ${epoch}`;
      throw new Violation("single life", message);
    }
    this.#lives.set(epoch, process);
    this.#lived.add(process);
  }

  #pass({ process, epoch, output }: Released): void {
    const fence = this.#fence;
    if (epoch < Math.max(fence.epoch, this.#lifeEpoch)) {
      fence.dropped++;
      return;
    }
    // The console of another life begins at its first byte.
    if (fence.epoch < this.#lifeEpoch) fence.printed = 0;
    fence.epoch = epoch;
    if (output.kind !== "console") return;
    if (output.position > fence.printed) {
      throw new Violation(
        "single life",
        `behind the fences the console is known up to position ${fence.printed}, and ${process} goes on at ${output.position}, epoch ${epoch}: what came between was dropped with a superseded primary, or lost`,
      );
    }
    fence.printed = Math.max(fence.printed, output.position + output.bytes.length);
  }
}
