/**
 * Arbiters over one disk: each a process with a file store of its own, asked over the network. Two
 * may be alive at once, and the calls of one come in between the disk operations of the other. When
 * one dies in the middle of an operation, half the time its computer loses power, and the others
 * die too; else what it had not synced is there for others to see, until the power does fail.
 */
import { assert } from "../../../src/shared/assert.ts";
import type { VmRecord } from "../../../src/shared/protocol/record.ts";
import { FileStore, StoreError } from "../../../src/storage-arbiter/record/file-store.ts";
import { decodeRecord } from "../../../src/storage-arbiter/record/record-file.ts";
import { Violation } from "../checkers/checker.ts";
import type { Answer } from "../events.ts";
import { pick } from "../world/random.ts";
import { type DiskHandle, type DiskOperation, ProcessGone, SimulatedDisk } from "./disk.ts";
import {
  arbiterNode,
  type Call,
  type Fate,
  type Keeping,
  outcomeAnswer,
  type RecordKeeper,
} from "./record-call.ts";

/** How often a call that is on its way to another arbiter comes in between two operations. */
const interleaveShare = 0.2;

interface Arbiter {
  /** null while it is down. */
  process: { readonly handle: DiskHandle; readonly store: FileStore } | null;
  /** Faults that keep it down. */
  downs: number;
  slowMs: number;
  /** In the middle of a call. */
  busy: boolean;
  crash: { left: number; readonly forMs: number; readonly onStrike: () => void } | null;
}

/** A request on its way to an arbiter. */
interface Delivery {
  readonly call: Call;
  readonly fate: Fate;
  readonly arbiter: Arbiter;
}

export class FileKeeper implements RecordKeeper {
  readonly #keeping: Keeping;
  readonly #disk = new SimulatedDisk();
  readonly #arbiters: readonly Arbiter[];
  readonly #pending = new Set<Delivery>();
  #durableEpoch = -1;
  #toldEpoch = -1;
  #gone = false;

  constructor(keeping: Keeping, arbiters: number) {
    this.#keeping = keeping;
    this.#arbiters = Array.from({ length: arbiters }, () => {
      const down = { process: null, downs: 0, slowMs: 0, busy: false, crash: null };
      return this.#start(down);
    });
  }

  create(): void {
    const store = this.#arbiters[0]?.process?.store;
    assert(store !== undefined, "the record is made before anything goes wrong");
    store.apply({ kind: "create", vm: this.#keeping.vm });
  }

  serve(call: Call): void {
    const fate = this.#keeping.fateOf(call.request.kind);
    if (fate === "request lost") return;
    const { world } = this.#keeping;
    for (let copy = fate === "twice" ? 2 : 1; copy > 0; copy--) {
      const delivery = { call, fate, arbiter: pick(world.random, this.#arbiters) };
      const late = fate === "late";
      if (!late) this.#pending.add(delivery);
      const ms = late ? this.#keeping.lateMs() : this.#delayMs(delivery.arbiter);
      world.after(ms, () => {
        if (late || this.#pending.has(delivery)) this.#deliver(delivery);
      });
    }
  }

  down(arbiter: number, forMs: number): void {
    this.#kill(this.#at(arbiter), forMs);
  }

  crashAt(arbiter: number, nth: number, forMs: number, onStrike: () => void): void {
    this.#at(arbiter).crash = { left: nth, forMs, onStrike };
  }

  slow(arbiter: number, ms: number, forMs: number): void {
    const slowed = this.#at(arbiter);
    slowed.slowMs += ms;
    this.#keeping.world.after(forMs, () => {
      slowed.slowMs -= ms;
    });
  }

  conflict(): void {
    // Arbiters share nothing that anybody else writes.
  }

  vanish(): void {
    this.#gone = true;
    this.#disk.remove(this.#folder);
  }

  calm(): void {
    for (const arbiter of this.#arbiters) arbiter.crash = null;
  }

  #at(number: number): Arbiter {
    // A fault is drawn without knowing how many there are.
    const arbiter = this.#arbiters[number % this.#arbiters.length];
    assert(arbiter !== undefined, `no arbiter ${number}`);
    return arbiter;
  }

  #start(arbiter: Arbiter): Arbiter {
    const handle = this.#disk.handle((operation, when) =>
      this.#onOperation(arbiter, operation, when),
    );
    arbiter.process = { handle, store: new FileStore(this.#disk.root, handle) };
    return arbiter;
  }

  #kill(arbiter: Arbiter, forMs: number): void {
    arbiter.process?.handle.close();
    arbiter.process = null;
    arbiter.downs++;
    this.#keeping.world.after(forMs, () => {
      arbiter.downs--;
      if (arbiter.downs === 0) this.#start(arbiter);
    });
  }

  #deliver(delivery: Delivery): void {
    const { call, fate, arbiter } = delivery;
    const { world } = this.#keeping;
    this.#pending.delete(delivery);
    if (!world.reachable(call.node, arbiterNode)) return;
    const answer = this.#serve(call, arbiter);
    if (answer === null || fate === "answer lost") return;
    world.after(this.#delayMs(arbiter), () => {
      if (!world.reachable(arbiterNode, call.node)) return;
      world.inProcess(call.process, () => call.answer(answer));
    });
  }

  /** What the arbiter answers; null: it died, and says nothing. */
  #serve({ request }: Call, arbiter: Arbiter): Answer | null {
    const { process } = arbiter;
    // The connection is refused.
    if (process === null) return { kind: "none" };
    arbiter.busy = true;
    try {
      if (request.kind === "read") {
        const record = process.store.read(this.#keeping.vm);
        this.#toldEpoch = Math.max(this.#toldEpoch, record?.epoch ?? -1);
        return { kind: "record", record };
      }
      const outcome = process.store.apply(request);
      this.#toldEpoch = Math.max(this.#toldEpoch, outcome.record?.epoch ?? -1);
      return outcomeAnswer(outcome);
    } catch (error) {
      if (error instanceof ProcessGone) return null;
      // The service answers 503.
      if (error instanceof StoreError) return { kind: "none" };
      throw error;
    } finally {
      arbiter.busy = false;
    }
  }

  #onOperation(arbiter: Arbiter, operation: DiskOperation, when: "before" | "after"): void {
    if (operation === "sync directory" && when === "after") this.#noteDurable();
    if (this.#strikes(arbiter, when)) return;
    if (this.#pending.size === 0 || this.#keeping.world.random() >= interleaveShare) return;
    for (const delivery of this.#pending) {
      if (delivery.arbiter.busy || delivery.arbiter === arbiter) continue;
      this.#deliver(delivery);
      return;
    }
  }

  #strikes(arbiter: Arbiter, when: "before" | "after"): boolean {
    const { crash } = arbiter;
    if (crash === null) return false;
    if (when === "before") crash.left--;
    // The n-th operation is never begun, or its end never known.
    const struck = crash.left <= 0 && (when === "after" || this.#keeping.world.random() < 0.5);
    if (!struck) return false;
    arbiter.crash = null;
    crash.onStrike();
    if (this.#keeping.world.random() < 0.5) this.#kill(arbiter, crash.forMs);
    else this.#losePower(crash.forMs);
    return true;
  }

  #losePower(forMs: number): void {
    for (const arbiter of this.#arbiters) {
      arbiter.crash = null;
      this.#kill(arbiter, forMs);
    }
    this.#disk.crash(this.#keeping.world.random);
    this.#noteDurable();
    if (this.#durableEpoch < this.#toldEpoch) {
      throw new Violation(
        "linearizable record",
        `epoch ${this.#toldEpoch} was told before the power failed, and only epoch ` +
          `${this.#durableEpoch} is there after it`,
      );
    }
  }

  get #folder(): string {
    return `${this.#disk.root}/${this.#keeping.vm}`;
  }

  #noteDurable(): void {
    if (this.#gone) {
      this.#noteMadeAnew();
      return;
    }
    for (;;) {
      const epoch = this.#durableEpoch + 1;
      const record = this.#durableRecord(epoch);
      if (record === null) return;
      this.#durableEpoch = epoch;
      this.#keeping.onDurable(record);
    }
  }

  /** Where all were deleted there may be none, of whatever epoch. */
  #noteMadeAnew(): void {
    for (let epoch = 0; epoch <= this.#durableEpoch + 1; epoch++) {
      const record = this.#durableRecord(epoch);
      if (record !== null) this.#keeping.onDurable(record);
    }
  }

  #durableRecord(epoch: number): VmRecord | null {
    const file = `${this.#folder}/record.${epoch}`;
    const text = this.#disk.durableText(file);
    if (text === null) return null;
    const record = decodeRecord(text);
    assert(record !== null, `${file} is durable and torn: ${text}`);
    return record;
  }

  #delayMs(arbiter: Arbiter): number {
    return this.#keeping.delayMs() + arbiter.slowMs;
  }
}
