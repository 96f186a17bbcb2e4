/**
 * What the guest is given of the frames that the gateways took for it: each at most once, in the
 * order in which its gateway took them, and none is left out, over failovers too, unless somebody
 * says that it was dropped. Judged by the serial numbers in the frames themselves.
 */
import type { SimEvent } from "../events.ts";
import { decodeFrame } from "../machine/frames.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";
import { historyOf, type LogTree } from "./log-tree.ts";
import type { Survivor } from "./survivor.ts";

/** A frame that a gateway took: the how manieth of this gateway. */
interface Taken {
  readonly gateway: string;
  readonly place: number;
}

export class FramesInChecker implements Checker {
  readonly #tree: LogTree;
  readonly #survivor: Survivor;
  /** By serial number. */
  readonly #taken = new Map<number, Taken>();
  readonly #counts = new Map<string, number>();
  /** Those that have dropped frames, of which some may be missing. */
  readonly #losers = new Set<string>();

  constructor(tree: LogTree, survivor: Survivor) {
    this.#tree = tree;
    this.#survivor = survivor;
  }

  observe(event: SimEvent): void {
    this.#tree.observe(event);
    this.#survivor.observe(event);
    if (event.kind === "lost" && event.ingress > 0) this.#losers.add(event.process);
    if (event.kind !== "entered") return;
    const { process: gateway, frame } = event;
    const place = this.#counts.get(gateway) ?? 0;
    this.#counts.set(gateway, place + 1);
    this.#taken.set(serialOf(frame), { gateway, place });
  }

  finish(outcome: Outcome): void {
    /** Place of the next frame, by gateway. */
    const next = new Map<string, number>();
    for (const { step } of historyOf(this.#survivor.tip(outcome.record))) {
      for (const frame of step.taken) this.#give(step.entry.index, serialOf(frame), next);
    }
  }

  /** Frames of this gateway: it dropped them, or a runner did. */
  #mayMiss(gateway: string): boolean {
    return [...this.#losers].some((loser) => loser === gateway || !this.#counts.has(loser));
  }

  #give(index: number, serial: number, next: Map<string, number>): void {
    const taken = this.#taken.get(serial);
    if (taken === undefined) wrong(`entry ${index} gives frame ${serial}, which no gateway took`);
    const { gateway, place } = taken;
    const expected = next.get(gateway) ?? 0;
    next.set(gateway, place + 1);
    const what = `entry ${index} gives frame ${serial}, number ${place} of ${gateway},`;
    if (place < expected) wrong(`${what} after its number ${expected - 1}`);
    if (place === expected || this.#mayMiss(gateway)) return;
    wrong(`${what} instead of its number ${expected}, and nobody dropped any`);
  }
}

function serialOf(bytes: Uint8Array): number {
  const frame = decodeFrame(bytes);
  if (frame.kind === "request" || frame.kind === "noise") return frame.serial;
  return wrong(`the guest was given what comes from a guest: ${frame.kind}`);
}

function wrong(message: string): never {
  throw new Violation("frames in", message);
}
