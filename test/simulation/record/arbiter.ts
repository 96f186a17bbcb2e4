/**
 * What runners ask about the record, whoever keeps it: their calls with their time-outs, and what
 * goes wrong on the way. Tells of each call and of each record that became durable.
 */
import { assert } from "../../../src/shared/assert.ts";
import { arbiterTimeoutMs } from "../../../src/shared/limits.ts";
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import type { Answer, Happening, Node } from "../events.ts";
import type { StoreShape } from "../scenario.ts";
import { pick } from "../world/random.ts";
import { FileKeeper } from "./file-arbiter.ts";
import { LeaseKeeper } from "./lease.ts";
import type { Call, Fate, RecordAnswer, RecordKeeper, RecordWorld } from "./record-call.ts";

/** How long after its asker gave up a late request may land. */
const latenessMs = 1_000;

const badFates: readonly Fate[] = ["request lost", "answer lost", "late", "twice"];

interface Trouble {
  readonly fate: Fate;
  readonly onStrike: () => void;
}

export class Arbiters {
  readonly #world: RecordWorld;
  readonly #shape: StoreShape;
  readonly #keeper: RecordKeeper;
  #calls = 0;
  #current: VmRecord | null = null;
  #troubles: Trouble[] = [];
  #calm = false;
  #gone = false;

  constructor(world: RecordWorld, shape: StoreShape, vm: string) {
    this.#world = world;
    this.#shape = shape;
    const { random } = world;
    const keeping = {
      vm,
      world,
      delayMs: () => shape.delayMs * (0.5 + random()),
      lateMs: () => arbiterTimeoutMs + latenessMs * random(),
      fateOf: (kind: Call["request"]["kind"]) => this.#fateOf(kind),
      onDurable: (record: VmRecord) => {
        if (!this.#gone) this.#current = record;
        world.emit({ kind: "granted", record });
      },
    };
    this.#keeper =
      shape.kind === "file" ? new FileKeeper(keeping, shape.arbiters) : new LeaseKeeper(keeping);
  }

  /** Makes the VM's record, once, before anything else. */
  create(): void {
    assert(this.#current === null, "the record was made already");
    this.#keeper.create();
  }

  /** The truth: the record of the highest epoch that is durable. */
  current(): VmRecord {
    assert(this.#current !== null, "the record was not made yet");
    return this.#current;
  }

  /** Told once, in the process, within `arbiterTimeoutMs`. */
  ask(
    node: Node,
    process: Nonce,
    request: RunnerRequest,
    answer: (answer: RecordAnswer) => void,
  ): void {
    this.#call(node, process, request, (given) => {
      if (given.kind === "outcome") answer({ kind: "answer", request, outcome: given.outcome });
      else answer({ kind: "noAnswer" });
    });
  }

  /** Told once, in the process, within `arbiterTimeoutMs`. */
  read(node: Node, process: Nonce, answer: (answer: RecordAnswer) => void): void {
    this.#call(node, process, { kind: "read" }, (given) => {
      if (given.kind === "record") answer({ kind: "recordRead", record: given.record });
      else answer({ kind: "recordUnreadable" });
    });
  }

  /** Fault "arbiter down": killed, and started anew after `forMs`. */
  down(arbiter: number, forMs: number): void {
    this.#keeper.down(arbiter, forMs);
  }

  /** Fault "arbiter crash": in the middle of its n-th operation, told by `onStrike`. */
  crashAt(arbiter: number, nth: number, forMs: number, onStrike: () => void): void {
    this.#keeper.crashAt(arbiter, nth, forMs, onStrike);
  }

  /** Fault "arbiter slow": `ms` more for each way. */
  slow(arbiter: number, ms: number, forMs: number): void {
    this.#keeper.slow(arbiter, ms, forMs);
  }

  /** Fault "request trouble": for the next request for a change, then told by `onStrike`. */
  trouble(fate: Fate, onStrike: () => void): void {
    this.#troubles.push({ fate, onStrike });
  }

  /** Fault "lease conflict": at the next `times` writes; the first is told by `onStrike`. */
  conflict(times: number, onStrike: () => void): void {
    this.#keeper.conflict(times, onStrike);
  }

  /** Fault "record gone": deleted for good; `current` stays the last record that was true. */
  vanish(): void {
    this.#gone = true;
    this.#keeper.vanish();
  }

  /** No fault strikes from now on; what is down or slow comes back in its own time. */
  calm(): void {
    this.#calm = true;
    this.#troubles = [];
    this.#keeper.calm();
  }

  #call(
    node: Node,
    process: Nonce,
    request: Call["request"],
    onAnswer: (answer: Answer) => void,
  ): void {
    const number = ++this.#calls;
    const emit = (happening: Happening) => this.#world.emit(happening);
    const call = {
      node,
      process,
      request,
      open: true,
      answer(answer: Answer) {
        if (!call.open) return;
        call.open = false;
        emit({ kind: "answered", call: number, answer });
        onAnswer(answer);
      },
    };
    emit({ kind: "asked", call: number, process, request });
    this.#world.after(arbiterTimeoutMs, () => {
      if (call.open) this.#world.inProcess(process, () => call.answer({ kind: "none" }));
    });
    this.#keeper.serve(call);
  }

  #fateOf(kind: Call["request"]["kind"]): Fate {
    const trouble = kind === "read" ? undefined : this.#troubles.shift();
    if (trouble !== undefined) {
      trouble.onStrike();
      return trouble.fate;
    }
    if (this.#calm || this.#world.random() >= this.#shape.lossShare) return "served";
    return pick(this.#world.random, badFates);
  }
}
