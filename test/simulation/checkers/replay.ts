/**
 * "The backup VM's execution is identical to the primary's" (the paper, section 2.1): all who
 * execute the same log have the same state and make the same outputs, step by step. At the end a
 * machine that took part in nothing replays the surviving log from entry 0 and must agree.
 */
import type { MachineOutput } from "../../../src/vm-runner/machine/machine.ts";
import type { LogEntry } from "../../../src/vm-runner/replay/log-entry.ts";
import type { ExecutedStep, Node, SimEvent } from "../events.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";
import { historyOf, type LogNode, type LogTree } from "./log-tree.ts";
import type { Survivor } from "./survivor.ts";

/** A fresh machine that only replays. */
export interface ReferenceMachine {
  deliver(entry: LogEntry): void;
  /** Continues in a fresh instance, without the state that no snapshot carries. */
  moveNow(): void;
  run(): { readonly outputs: readonly MachineOutput[] };
  /** Of the whole state, hidden state included. */
  readonly fingerprint: number;
}

const nothing = new Uint8Array(0);
const trapCharacter = "T".charCodeAt(0);

export class ReplayChecker implements Checker {
  readonly #tree: LogTree;
  readonly #survivor: Survivor;
  readonly #newMachine: () => ReferenceMachine;
  /** The guest was told to trap: then both halves may. */
  #trapTyped = false;
  /** Computers on which a move was made to fail: a backup cannot follow it, and stops. */
  readonly #unmoved = new Set<Node>();

  constructor(tree: LogTree, survivor: Survivor, newMachine: () => ReferenceMachine) {
    this.#tree = tree;
    this.#survivor = survivor;
    this.#newMachine = newMachine;
  }

  observe(event: SimEvent): void {
    this.#tree.observe(event);
    this.#survivor.observe(event);
    if (event.kind === "executed") {
      const node = this.#tree.newest(event.process);
      if (node !== null && node.step !== event.step) same(node, event.step, event.process);
    }
    if (event.kind === "typed" && event.bytes.includes(trapCharacter)) this.#trapTyped = true;
    if (event.kind === "fault" && event.fault.kind === "move fails") {
      this.#unmoved.add(event.fault.node);
    }
    if (event.kind === "ended") this.#ended(event);
  }

  finish(outcome: Outcome): void {
    const machine = this.#newMachine();
    for (const { step, executor } of historyOf(this.#survivor.tip(outcome.record))) {
      const { index } = step.entry;
      machine.deliver(step.entry);
      if (step.entry.inputs.some(({ kind }) => kind === "snapshot")) machine.moveNow();
      const { outputs } = machine.run();
      const difference = differenceOf(step, machine.fingerprint, outputs);
      if (difference === null) continue;
      const message = `a fresh machine that replays the log makes step ${index} otherwise than ${executor} did: ${difference}`;
      throw new Violation("replay", message);
    }
  }

  #ended({ process, node, reason, message }: SimEvent & { kind: "ended" }): void {
    if (reason === "diverged") throw new Violation("replay", `${process} diverged: ${message}`);
    if (reason !== "trapped" || this.#trapTyped || this.#unmoved.has(node)) return;
    throw new Violation("replay", `${process} trapped and nobody typed a trap: ${message}`);
  }
}

function same(node: LogNode, step: ExecutedStep, process: string): void {
  const difference = differenceOf(node.step, step.fingerprint, step.outputs);
  if (difference === null) return;
  const { index } = step.entry;
  const message = `step ${index} of the same log: ${node.executor} and ${process} differ: ${difference}`;
  throw new Violation("replay", message);
}

function differenceOf(
  step: ExecutedStep,
  fingerprint: number,
  outputs: readonly MachineOutput[],
): string | null {
  if (step.outputs.length !== outputs.length) {
    return `${step.outputs.length} outputs and ${outputs.length}`;
  }
  for (const [i, output] of step.outputs.entries()) {
    const other = outputs[i];
    if (other === undefined) return `output ${i} is missing`;
    const difference = outputDifference(output, other);
    if (difference !== null) return `output ${i} ${difference}`;
  }
  if (step.fingerprint === fingerprint) return null;
  return `equal outputs, but the state is ${step.fingerprint} and ${fingerprint}`;
}

function outputDifference(one: MachineOutput, other: MachineOutput): string | null {
  if (one.kind === "console" && other.kind === "console") {
    if (one.position !== other.position) return `at position ${one.position} and ${other.position}`;
    if (equal(one.bytes, other.bytes)) return null;
    return `at position ${one.position} is ${text(one.bytes)} and ${text(other.bytes)}`;
  }
  if (one.kind !== "egress" || other.kind !== "egress") return `is ${one.kind} and ${other.kind}`;
  if (one.first !== other.first) return `begins with frame ${one.first} and ${other.first}`;
  if (one.frames.length !== other.frames.length) {
    return `has ${one.frames.length} frames and ${other.frames.length}`;
  }
  const at = one.frames.findIndex((frame, i) => !equal(frame, other.frames[i] ?? nothing));
  if (at === -1) return null;
  const [mine, others] = [one.frames[at] ?? nothing, other.frames[at] ?? nothing];
  return `has frame ${one.first + at} as ${text(mine)} and ${text(others)}`;
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

function text(bytes: Uint8Array): string {
  return JSON.stringify(String.fromCharCode(...bytes.subarray(0, 60)));
}
