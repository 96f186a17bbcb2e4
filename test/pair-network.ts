/** Connections and the record's store of the simulated pair: slow, lossy, and told what to do. */
import type { RecordOutcome } from "../src/shared/protocol/record.ts";
import { MemoryStore } from "../src/storage-arbiter/record/memory-store.ts";
import type { RunnerRequest } from "../src/vm-runner/failover/record-view.ts";
import { decodeMessage, encodeMessage } from "../src/vm-runner/logging-channel/message-codec.ts";
import type { ChannelMessage } from "../src/vm-runner/logging-channel/messages.ts";
import type { SimRunner } from "./pair-runner.ts";
import type { World } from "./pair-world.ts";

/** What becomes of a request; "late": it lands long after the asker gave up on it. */
export type Fate = "served" | "request lost" | "answer lost" | "late";

export class SimArbiter {
  readonly store = new MemoryStore();
  up = true;
  delayMs = 1;
  timeoutMs = 200;
  lateMs = 300;
  fate: (kind: RunnerRequest["kind"] | "read", runner: SimRunner) => Fate = () => "served";
  readonly asked: RunnerRequest[] = [];
  readonly granted: RunnerRequest["kind"][] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  ask(runner: SimRunner, request: RunnerRequest): void {
    this.asked.push(request);
    const fate = this.up ? this.fate(request.kind, runner) : "request lost";
    if (fate !== "served") {
      this.#world.after(this.timeoutMs, () => runner.input({ kind: "noAnswer" }));
    }
    if (fate === "request lost") return;
    const delayMs = fate === "late" ? this.timeoutMs + this.lateMs : this.delayMs;
    this.#world.after(delayMs, () => {
      const outcome = this.#apply(request);
      if (fate !== "served") return;
      this.#world.after(this.delayMs, () => runner.input({ kind: "answer", request, outcome }));
    });
  }

  read(runner: SimRunner): void {
    if (!this.up || this.fate("read", runner) !== "served") {
      this.#world.after(this.timeoutMs, () => runner.input({ kind: "recordUnreadable" }));
      return;
    }
    this.#world.after(this.delayMs, () => {
      const record = this.store.read(this.#world.vm);
      this.#world.after(this.delayMs, () => runner.input({ kind: "recordRead", record }));
    });
  }

  #apply(request: RunnerRequest): RecordOutcome {
    const before = this.store.read(request.vm);
    const outcome = this.store.apply(request);
    const changed = outcome.kind === "granted" && outcome.record.epoch !== before?.epoch;
    if (changed) this.granted.push(request.kind);
    return outcome;
  }
}

/** How often a message that cannot pass is tried again: what TCP does. */
const resendMs = 5;

interface End {
  readonly runner: SimRunner;
  readonly link: number;
  /** What is on its way to this end. */
  readonly queue: { readonly atMs: number; readonly message: Uint8Array | "closed" }[];
  open: boolean;
}

/** One connection. Both directions keep their order; a partition delays and loses nothing. */
export class Wire {
  readonly #world: World;
  readonly #ends: readonly [End, End];

  constructor(world: World, dialler: SimRunner, listener: SimRunner) {
    this.#world = world;
    const end = (runner: SimRunner): End => {
      return { runner, link: runner.attach(this), queue: [], open: true };
    };
    this.#ends = [end(dialler), end(listener)];
  }

  linkOf(runner: SimRunner): number {
    return this.#end(runner, true).link;
  }

  send(from: SimRunner, message: ChannelMessage): void {
    if (this.#end(from, true).open) this.#push(this.#end(from, false), encodeMessage(message));
  }

  /** The runner hangs up; what it sent before still arrives. */
  close(by: SimRunner): void {
    const end = this.#end(by, true);
    if (!end.open) return;
    end.open = false;
    this.#push(this.#end(by, false), "closed");
  }

  /** The connection breaks, and what is on its way is lost. */
  cut(): void {
    for (const end of this.#ends) {
      if (!end.open) continue;
      end.open = false;
      this.#world.after(this.#world.latencyMs, () => {
        end.runner.input({ kind: "linkClosed", link: end.link });
      });
    }
  }

  #end(runner: SimRunner, own: boolean): End {
    return (this.#ends[0].runner === runner) === own ? this.#ends[0] : this.#ends[1];
  }

  #push(to: End, message: Uint8Array | "closed"): void {
    to.queue.push({ atMs: this.#world.nowMs + this.#world.latencyMs, message });
    if (to.queue.length === 1) this.#pump(to);
  }

  #pump(to: End): void {
    const head = to.queue[0];
    if (head === undefined) return;
    this.#world.after(Math.max(0, head.atMs - this.#world.nowMs), () => this.#arrive(to));
  }

  #arrive(to: End): void {
    const [a, b] = this.#ends;
    if (this.#world.partitioned(a.runner.node, b.runner.node)) {
      this.#world.after(resendMs, () => this.#arrive(to));
      return;
    }
    const item = to.queue.shift();
    if (item !== undefined && to.open) {
      const { link, runner } = to;
      if (item.message === "closed") {
        to.open = false;
        runner.input({ kind: "linkClosed", link });
      } else {
        runner.input({ kind: "message", link, message: decodeMessage(item.message) });
      }
    }
    this.#pump(to);
  }
}
