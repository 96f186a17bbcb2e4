/**
 * Nothing grows without a bound: each buffer stays within the limit that it names, and the console
 * bytes that wait for the Output Rule are counted here from outside. They must fit into the history
 * that a backup keeps, else a reader could miss some of them after a failover.
 */
import { consoleHistoryBytes } from "../../../src/shared/limits.ts";
import type { Nonce } from "../../../src/shared/protocol/record.ts";
import type { Node, SimEvent } from "../events.ts";
import { type Checker, Violation } from "./checker.ts";

type Buffer = SimEvent & { readonly kind: "buffer" };

export class BoundsChecker implements Checker {
  readonly #heldBytesMax: number;
  /** Where the console of each process ends, as its machine printed it. */
  readonly #printed = new Map<Nonce, number>();
  /** Where it ends outside, since the process went live. */
  readonly #released = new Map<Nonce, number>();
  readonly #nodes = new Map<Nonce, Node>();
  /** Where the I/O thread once stood still: meanwhile nobody could tell the machine to wait. */
  readonly #stalled = new Set<Node>();

  constructor(heldBytesMax = consoleHistoryBytes) {
    this.#heldBytesMax = heldBytesMax;
  }

  observe(event: SimEvent): void {
    switch (event.kind) {
      case "buffer":
        this.#mustFit(event);
        return;
      case "started":
        this.#nodes.set(event.process, event.node);
        return;
      case "fault":
        if (event.fault.kind === "stall") this.#stalled.add(event.fault.node);
        return;
      case "lived":
        this.#released.delete(event.process);
        return;
      case "executed":
        for (const output of event.step.outputs) {
          if (output.kind !== "console") continue;
          this.#printed.set(event.process, output.position + output.bytes.length);
        }
        return;
      case "released":
        if (event.output.kind !== "console") return;
        this.#released.set(event.process, event.output.position + event.output.bytes.length);
        return;
      case "recorded":
        this.#mustNotHoldMore(event.process);
        return;
      default:
    }
  }

  finish(): void {}

  #mustFit({ process, buffer, size, limit }: Buffer): void {
    if (size <= limit) return;
    const message = `${process}: the buffer "${buffer}" has grown to ${size}, and its limit is ${limit}`;
    throw new Violation("bounds", message);
  }

  /** What it printed as a backup is not held: only what came after it let something out counts. */
  #mustNotHoldMore(process: Nonce): void {
    const released = this.#released.get(process);
    const printed = this.#printed.get(process);
    if (released === undefined || printed === undefined) return;
    if (this.#stalled.has(this.#nodes.get(process) ?? "")) return;
    const held = printed - released;
    if (held <= this.#heldBytesMax) return;
    const message = `${process} holds ${held} console bytes that it has printed, and ${this.#heldBytesMax} are the limit`;
    throw new Violation("bounds", message);
  }
}
