/**
 * The Output Rule (the paper, section 2.2): the primary may not send an output to the external
 * world until the backup has received and acknowledged the log entry associated with the operation
 * producing it. So whoever the record names must hold the entry when the output leaves, and every
 * later life begins with it. What a process holds is what the network delivered to it, not what a
 * core says.
 */
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerOutput } from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";
import { type Checker, Violation } from "./checker.ts";
import { contains, type LogNode, type LogTree, longer } from "./log-tree.ts";
import { Possession } from "./possession.ts";
import type { Survivor } from "./survivor.ts";

interface Life {
  readonly process: Nonce;
  readonly epoch: number;
  /** The last step before its own; null: it began with entry 0. */
  readonly before: LogNode | null;
}

type Released = SimEvent & { readonly kind: "released" };
type Lived = SimEvent & { readonly kind: "lived" };

export class OutputRuleChecker implements Checker {
  readonly #tree: LogTree;
  readonly #survivor: Survivor;
  readonly #possession = new Possession();
  #record: VmRecord | null = null;
  #newest: Life | null = null;

  constructor(tree: LogTree, survivor: Survivor) {
    this.#tree = tree;
    this.#survivor = survivor;
  }

  observe(event: SimEvent): void {
    this.#tree.observe(event);
    this.#possession.observe(event);
    if (event.kind === "granted") this.#record = event.record;
    if (event.kind === "lived") this.#lived(event);
    if (event.kind === "released") this.#released(event);
    this.#survivor.observe(event);
  }

  finish(): void {}

  #lived({ process, epoch, next, chain }: Lived): void {
    const before = this.#tree.node(chain);
    if ((before?.step.entry.index ?? -1) !== next - 1) {
      throw new Violation(
        "output rule",
        `${process} lives from entry ${next} on, after a history (chain ${chain}) that was not executed up to there`,
      );
    }
    // Who learns of its role too late (its reading of the record was old) is superseded when it
    // begins: what it may let out is judged then.
    if (this.#record !== null && this.#record.primary !== process) return;
    const { released } = this.#survivor;
    if (released !== null && !(before !== null && contains(before, released))) {
      throw new Violation(
        "output rule",
        `${process} lives at epoch ${epoch} from entry ${next} on, and an output of step ${released.step.entry.index} by ${released.executor} was let out that its history does not have`,
      );
    }
    if (this.#newest === null || epoch >= this.#newest.epoch) {
      this.#newest = { process, epoch, before };
    }
  }

  #released({ process, epoch, index, output }: Released): void {
    const what = whatOf(output);
    const node = this.#tree.at(process, index);
    if (node === null) {
      const message = `${process} let out ${what} of step ${index}, which is not in its history`;
      throw new Violation("output rule", message);
    }
    this.#mustBeHeld(process, index, what);
    const { released } = this.#survivor;
    if (released !== null && longer(released, node) === null) {
      throw new Violation(
        "output rule",
        `${process} let out ${what} of step ${index}, and step ${released.step.entry.index} of another history was let out before`,
      );
    }
    const newest = this.#newest;
    // Who is named primary lets out what it executed even before its own first entry.
    if (newest === null || newest.process === process || newest.epoch <= epoch) return;
    if (newest.before !== null && contains(newest.before, node)) return;
    throw new Violation(
      "output rule",
      `${process} let out ${what} of step ${index}, which the later life of ${newest.process} at epoch ${newest.epoch} does not have`,
    );
  }

  #mustBeHeld(process: Nonce, index: StepIndex, what: string): void {
    const record = this.#record;
    if (record === null) return;
    for (const named of [record.primary, record.backup]) {
      if (named === null || named === process) continue;
      const through = this.#possession.through(named);
      if (through >= index) continue;
      throw new Violation(
        "output rule",
        `${process} let out ${what} of step ${index}, and ${named}, named at epoch ${record.epoch}, has the log only up to entry ${through}`,
      );
    }
  }
}

function whatOf(output: RunnerOutput): string {
  switch (output.kind) {
    case "console":
      return "an output";
    case "egress":
      return "frames";
    case "accepted":
    case "ingressAccepted":
      return "an acceptance of input";
  }
}
