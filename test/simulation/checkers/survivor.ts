/** Which of all histories of the log is the VM's own: the one that the world outside has seen. */
import type { VmRecord } from "../../../src/shared/protocol/record.ts";
import type { SimEvent } from "../events.ts";
import { Violation } from "./checker.ts";
import { type LogNode, type LogTree, longer } from "./log-tree.ts";

export class Survivor {
  readonly #tree: LogTree;
  #released: LogNode | null = null;
  #last: SimEvent | null = null;

  constructor(tree: LogTree) {
    this.#tree = tree;
  }

  /** The latest step of which an output was ever let out. */
  get released(): LogNode | null {
    return this.#released;
  }

  /** Several checkers may share it: an event is taken in once. */
  observe(event: SimEvent): void {
    if (event === this.#last) return;
    this.#last = event;
    if (event.kind !== "released") return;
    const node = this.#tree.at(event.process, event.index);
    const deepest = this.#released?.step.entry.index ?? -1;
    if (node !== null && node.step.entry.index > deepest) this.#released = node;
  }

  /**
   * The last step of the VM's history: the newest of the primary that the record names, or the
   * latest one released where the primary (dead before it replayed everything) has not come so far.
   */
  tip(record: VmRecord): LogNode | null {
    const own = record.primary === null ? null : this.#tree.newest(record.primary);
    const tip = longer(own, this.#released);
    if (tip !== null || own === null) return tip;
    const seen = this.#released?.step.entry.index;
    const message = `an output of step ${seen} was let out, and is not in the history of the primary ${record.primary}`;
    throw new Violation("consistency after failover", message);
  }
}
