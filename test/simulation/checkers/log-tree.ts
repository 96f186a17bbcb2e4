/**
 * All histories of the log that were ever executed, as a tree: two processes are at the same node
 * when they executed equal entries. Histories branch where a superseded primary recorded entries
 * that nobody else ever got. Several checkers may share one tree: an event is taken in once.
 */
import type { Nonce } from "../../../src/shared/protocol/record.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Chain, ExecutedStep, SimEvent } from "../events.ts";
import { Violation } from "./checker.ts";

export interface LogNode {
  readonly parent: LogNode | null;
  /** As its first executor made it. */
  readonly step: ExecutedStep;
  readonly executor: Nonce;
}

/** The part of a history that one process executed itself, and where it joined. */
interface Path {
  readonly first: StepIndex;
  /** Of a restored machine, entry `first` included; null for one that began with entry 0. */
  readonly restored: Chain | null;
  readonly nodes: LogNode[];
}

export class LogTree {
  readonly #nodes = new Map<Chain, LogNode>();
  readonly #paths = new Map<Nonce, Path>();
  #last: SimEvent | null = null;

  observe(event: SimEvent): void {
    if (event === this.#last) return;
    this.#last = event;
    if (event.kind === "executed") this.#execute(event.process, event.step);
    if (event.kind !== "restored") return;
    const { process, first, chain } = event;
    this.#paths.set(process, { first, restored: chain, nodes: [] });
  }

  node(chain: Chain): LogNode | null {
    return this.#nodes.get(chain) ?? null;
  }

  /** The last step that this process executed. */
  newest(process: Nonce): LogNode | null {
    return this.#paths.get(process)?.nodes.at(-1) ?? null;
  }

  /** Step `index` of this process's history; null when it neither ran it nor joined after it. */
  at(process: Nonce, index: StepIndex): LogNode | null {
    const path = this.#paths.get(process);
    if (path === undefined) return null;
    if (index >= path.first) return path.nodes[index - path.first] ?? null;
    const joined = path.restored === null ? null : this.node(path.restored);
    return ancestor(joined, index);
  }

  #execute(process: Nonce, step: ExecutedStep): void {
    const path = this.#pathOf(process);
    this.#mustContinue(process, path, step);
    const node = this.#nodes.get(step.chain) ?? this.#add(process, step);
    const { index } = step.entry;
    const known = node.step.entry.index;
    if (known !== index) {
      const message = `${process} executed entry ${index} where ${node.executor} executed entry ${known} of the same history`;
      throw new Violation("replay", message);
    }
    path.nodes.push(node);
  }

  #pathOf(process: Nonce): Path {
    let path = this.#paths.get(process);
    if (path === undefined) {
      path = { first: 0, restored: null, nodes: [] };
      this.#paths.set(process, path);
    }
    return path;
  }

  /** Entry after entry, without a gap, from entry 0 or from the snapshot. */
  #mustContinue(process: Nonce, path: Path, step: ExecutedStep): void {
    const { index } = step.entry;
    const next = path.first + path.nodes.length;
    if (index !== next) {
      throw new Violation("replay", `${process} executed entry ${index} instead of ${next}`);
    }
    const before = path.nodes.at(-1);
    if (before === undefined && path.restored !== null) {
      if (path.restored === step.chain) return;
      const message = `${process} was restored at entry ${index} and then ran another history's: chain ${step.chain} instead of ${path.restored}`;
      throw new Violation("replay", message);
    }
    const parent = before?.step.chain ?? 0;
    if (step.parent === parent) return;
    const message = `${process} executed entry ${index} on top of chain ${step.parent}, but it stood at chain ${parent}`;
    throw new Violation("replay", message);
  }

  #add(process: Nonce, step: ExecutedStep): LogNode {
    const parent = this.node(step.parent);
    const { index } = step.entry;
    if ((parent?.step.entry.index ?? -1) !== index - 1) {
      const message = `${process} executed entry ${index} of a history whose entry ${index - 1} nobody executed`;
      throw new Violation("replay", message);
    }
    const node = { parent, step, executor: process };
    this.#nodes.set(step.chain, node);
    return node;
  }
}

/** Whether the history that ends with `tip` has this node. */
export function contains(tip: LogNode | null, node: LogNode): boolean {
  return ancestor(tip, node.step.entry.index) === node;
}

/** All nodes from entry 0 to `tip`. */
export function historyOf(tip: LogNode | null): LogNode[] {
  const nodes: LogNode[] = [];
  for (let node = tip; node !== null; node = node.parent) nodes.push(node);
  return nodes.reverse();
}

/** The one of the two that has the other in its history; null when they are on two branches. */
export function longer(one: LogNode | null, other: LogNode | null): LogNode | null {
  if (one === null || other === null) return one ?? other;
  if (contains(one, other)) return one;
  return contains(other, one) ? other : null;
}

function ancestor(tip: LogNode | null, index: StepIndex): LogNode | null {
  let node = tip;
  while (node !== null && node.step.entry.index > index) node = node.parent;
  return node?.step.entry.index === index ? node : null;
}
