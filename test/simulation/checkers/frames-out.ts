/**
 * What comes out of the gateway, by the numbers that the guest's own frames carry: it is what the
 * guest of the surviving history sent (the Output Rule for frames); one gateway lets each frame out
 * once and in order, and leaves none out unless somebody says that it was dropped, or it left a
 * primary that was alone before the next one got the guest; and it lets in only who the record named,
 * never an older epoch after a newer one, nor one that was over when the gateway was started.
 */
import type { Epoch, Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";
import { decodeFrame, lineOf } from "../machine/frames.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";
import { historyOf, type LogTree } from "./log-tree.ts";
import type { Survivor } from "./survivor.ts";

interface Gateway {
  /** Number of the last frame that came out; null: none has. */
  last: number | null;
  /** The newest epoch that it has let in, or that the record had when it started. */
  epoch: Epoch;
  /** It has dropped frames. */
  mayMiss: boolean;
}

type Claimed = SimEvent & { readonly kind: "claimed" };
type Attached = SimEvent & { readonly kind: "attached" };
type Lost = SimEvent & { readonly kind: "lost" };
type Left = SimEvent & { readonly kind: "left" };

export class FramesOutChecker implements Checker {
  readonly #tree: LogTree;
  readonly #survivor: Survivor;
  readonly #gateways = new Map<string, Gateway>();
  readonly #records = new Map<Epoch, VmRecord>();
  /** What came out, by number. */
  readonly #seen = new Map<number, string>();
  /** The first entry that a process had after it was put together from a snapshot. */
  readonly #joined = new Map<Nonce, StepIndex>();
  #newest: Epoch = -1;
  /** A runner has dropped frames: from now on some may be missing. */
  #mayMiss = false;

  constructor(tree: LogTree, survivor: Survivor) {
    this.#tree = tree;
    this.#survivor = survivor;
  }

  observe(event: SimEvent): void {
    this.#tree.observe(event);
    this.#survivor.observe(event);
    switch (event.kind) {
      case "granted":
        this.#records.set(event.record.epoch, event.record);
        this.#newest = Math.max(this.#newest, event.record.epoch);
        return;
      case "restored":
        this.#joined.set(event.process, event.first);
        return;
      case "gatewayStarted":
        this.#gateways.set(event.process, { last: null, epoch: this.#newest, mayMiss: false });
        return;
      case "misled":
        this.#gateway(event.process).epoch = event.epoch;
        return;
      case "claimed":
        this.#claimed(event);
        return;
      case "attached":
        this.#attached(event);
        return;
      case "lost":
        this.#lost(event);
        return;
      case "left":
        this.#left(event);
        return;
      default:
    }
  }

  finish(outcome: Outcome): void {
    const sent = new Map<number, string>();
    for (const { step } of historyOf(this.#survivor.tip(outcome.record))) {
      for (const output of step.outputs) {
        if (output.kind !== "egress") continue;
        for (const [i, frame] of output.frames.entries()) sent.set(output.first + i, lineOf(frame));
      }
    }
    for (const [number, line] of this.#seen) {
      const surviving = sent.get(number);
      if (surviving === line) continue;
      const other = surviving === undefined ? "does not have it" : `has "${surviving}"`;
      wrong(`frame ${number} came out as "${line}", and the surviving history ${other}`);
    }
  }

  /** Who says that the guest lives in it knows no record that names somebody else. */
  #claimed({ process, epoch, known }: Claimed): void {
    this.#mustOwn(process, epoch, "says to the gateway that it lives");
    this.#mustOwn(process, known, "says to the gateway that it lives, and knows that it does not:");
  }

  #lost({ process, egress }: Lost): void {
    if (egress === 0) return;
    const gateway = this.#gateways.get(process);
    if (gateway === undefined) this.#mayMiss = true;
    else gateway.mayMiss = true;
  }

  #attached({ process, runner, epoch }: Attached): void {
    this.#mustOwn(runner, epoch, `was let in by ${process}`);
    const gateway = this.#gateway(process);
    if (epoch < gateway.epoch) {
      wrong(`${process} let in ${runner} of epoch ${epoch} after epoch ${gateway.epoch}`);
    }
    gateway.epoch = epoch;
  }

  #mustOwn(process: Nonce, epoch: Epoch, did: string): void {
    const primary = this.#records.get(epoch)?.primary ?? "nobody";
    if (primary !== process)
      wrong(`${process} ${did} at epoch ${epoch}, whose primary is ${primary}`);
  }

  #left({ process, runner, epoch, frame }: Left): void {
    const gateway = this.#gateway(process);
    const line = lineOf(frame);
    if (runner === null) wrong(`${process} let out "${line}", which no runner had just sent`);
    if (epoch < gateway.epoch) {
      wrong(
        `${process} let out "${line}" of ${runner}, epoch ${epoch}, after epoch ${gateway.epoch}`,
      );
    }
    const sent = decodeFrame(frame);
    if (sent.kind === "announcement") return;
    if (sent.kind !== "sent") wrong(`${process} let out "${line}", which the guest never sends`);
    this.#mustContinue(process, gateway, sent.number, runner);
    gateway.last = sent.number;
    const before = this.#seen.get(sent.number) ?? line;
    if (before !== line)
      wrong(`frame ${sent.number} came out as "${before}" and then as "${line}"`);
    this.#seen.set(sent.number, line);
  }

  #mustContinue(process: string, { last, mayMiss }: Gateway, number: number, runner: Nonce): void {
    if (last === null) return;
    if (number <= last) wrong(`${process} let out frame ${number} after frame ${last}`);
    if (number === last + 1 || mayMiss || this.#mayMiss) return;
    // Frames that left a primary that was alone, and were on their way when it died, are nobody's.
    if (number === this.#sentBefore(runner)) return;
    wrong(`${process} let out frame ${number} after frame ${last}, and nobody dropped any`);
  }

  /** How many frames the guest had sent when this process got it. */
  #sentBefore(process: Nonce): number {
    const first = this.#joined.get(process) ?? 0;
    let node = this.#tree.at(process, first - 1);
    for (; node !== null; node = node.parent) {
      for (const output of node.step.outputs) {
        if (output.kind === "egress") return output.first + output.frames.length;
      }
    }
    return 0;
  }

  #gateway(process: string): Gateway {
    const gateway = this.#gateways.get(process);
    if (gateway === undefined) wrong(`${process} never started`);
    return gateway;
  }
}

function wrong(message: string): never {
  throw new Violation("frames out", message);
}
