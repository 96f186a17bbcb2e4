/**
 * The record as a Kubernetes Lease: every runner reads and changes it by itself. Reading and
 * writing are two requests to the API server, and another writer may come in between: then the
 * write's resourceVersion is no longer the object's, and it is refused as a conflict.
 *
 * ```mermaid
 * sequenceDiagram
 *   runner->>API server: get
 *   API server-->>runner: resourceVersion 7, record of epoch 3
 *   operator->>API server: annotate (resourceVersion 8, the record as before)
 *   runner->>API server: update at resourceVersion 7 to epoch 4
 *   API server-->>runner: conflict
 *   runner->>API server: get, and again from the top
 * ```
 */
import type { RecordRequest, VmRecord } from "../../../src/shared/protocol/record.ts";
import { transition } from "../../../src/storage-arbiter/record/transition.ts";
import type { Answer } from "../events.ts";
import { below } from "../world/random.ts";
import {
  arbiterNode,
  type Call,
  type Fate,
  type Keeping,
  outcomeAnswer,
  type RecordKeeper,
} from "./record-call.ts";

/** Conflicts in a row after which the fate of the request is left open. */
const leaseAttemptsMax = 8;

interface LeaseView {
  readonly resourceVersion: string;
  /** null: there is no Lease. */
  readonly record: VmRecord | null;
}

/** The object that the API server keeps. */
export class Lease {
  #version = 1;
  #record: VmRecord | null = null;

  get(): LeaseView {
    return { resourceVersion: String(this.#version), record: this.#record };
  }

  update(resourceVersion: string, record: VmRecord): "updated" | "conflict" {
    if (resourceVersion !== String(this.#version)) return "conflict";
    this.#version++;
    this.#record = record;
    return "updated";
  }

  /** To who has read it before, an update of what is gone is one at an old resourceVersion. */
  delete(): void {
    this.#version++;
    this.#record = null;
  }

  /** Somebody writes the object without changing the record. */
  touch(): void {
    this.#version++;
  }
}

/** The API server as one runner reaches it. Where nothing comes back, `done` is never called. */
export interface LeaseApi {
  get(done: (view: LeaseView) => void): void;
  update(
    resourceVersion: string,
    record: VmRecord,
    done: (result: "updated" | "conflict") => void,
  ): void;
}

/** The steps of one runner's compare-and-swap. */
export class LeaseStore {
  readonly #api: LeaseApi;

  constructor(api: LeaseApi) {
    this.#api = api;
  }

  read(done: (record: VmRecord | null) => void): void {
    this.#api.get((view) => done(view.record));
  }

  /**
   * A conflict says only that the object was written, not that the record was: it is read again,
   * and `transition` refuses when the epoch has changed. `done("none")`: too many in a row.
   */
  apply(request: RecordRequest, done: (answer: Answer) => void): void {
    this.#attempt(request, leaseAttemptsMax, done);
  }

  #attempt(request: RecordRequest, left: number, done: (answer: Answer) => void): void {
    if (left === 0) {
      done({ kind: "none" });
      return;
    }
    this.#api.get(({ resourceVersion, record }) => {
      const outcome = transition(record, request);
      if (outcome.kind === "refused" || outcome.record.epoch === record?.epoch) {
        done(outcomeAnswer(outcome));
        return;
      }
      this.#api.update(resourceVersion, outcome.record, (result) => {
        if (result === "updated") done(outcomeAnswer(outcome));
        else this.#attempt(request, left - 1, done);
      });
    });
  }
}

/** The API server and the network to it, with their faults. What it has written is durable. */
export class LeaseKeeper implements RecordKeeper {
  readonly #keeping: Keeping;
  readonly #lease = new Lease();
  /** Faults that keep it down. */
  #downs = 0;
  #slowMs = 0;
  #crash: { left: number; readonly forMs: number; readonly onStrike: () => void } | null = null;
  #conflicts = 0;
  #onConflict = () => {};

  constructor(keeping: Keeping) {
    this.#keeping = keeping;
  }

  create(): void {
    const outcome = transition(null, { kind: "create", vm: this.#keeping.vm });
    if (outcome.kind === "refused") throw new Error(`create was refused: ${outcome.reason}`);
    this.#update(this.#lease.get().resourceVersion, outcome.record);
  }

  serve(call: Call): void {
    const { request } = call;
    const store = new LeaseStore(this.#apiFor(call));
    if (request.kind === "read") store.read((record) => call.answer({ kind: "record", record }));
    else store.apply(request, (answer) => call.answer(answer));
  }

  down(_arbiter: number, forMs: number): void {
    this.#downs++;
    this.#keeping.world.after(forMs, () => {
      this.#downs--;
    });
  }

  crashAt(_arbiter: number, nth: number, forMs: number, onStrike: () => void): void {
    this.#crash = { left: nth, forMs, onStrike };
  }

  slow(_arbiter: number, ms: number, forMs: number): void {
    this.#slowMs += ms;
    this.#keeping.world.after(forMs, () => {
      this.#slowMs -= ms;
    });
  }

  conflict(times: number, onStrike: () => void): void {
    this.#conflicts = times;
    this.#onConflict = onStrike;
  }

  vanish(): void {
    this.#lease.delete();
  }

  calm(): void {
    this.#crash = null;
    this.#conflicts = 0;
  }

  #apiFor(call: Call): LeaseApi {
    return {
      get: (done) => {
        // A change that goes wrong does so when it is written.
        const fate = call.request.kind === "read" ? this.#keeping.fateOf("read") : "served";
        this.#exchange(call, fate, () => this.#lease.get(), done);
      },
      update: (resourceVersion, record, done) => {
        const fate = this.#keeping.fateOf(call.request.kind);
        this.#exchange(call, fate, () => this.#conflicted(resourceVersion, record), done);
      },
    };
  }

  /** Sends one HTTP request; `done` is called at most once, in the process, while it waits. */
  #exchange<T>(call: Call, fate: Fate, work: () => T, done: (result: T) => void): void {
    let answered = false;
    const receive = (result: T) => {
      if (answered || !call.open) return;
      answered = true;
      done(result);
    };
    if (!call.open || fate === "request lost") return;
    const { world } = this.#keeping;
    for (let copy = fate === "twice" ? 2 : 1; copy > 0; copy--) {
      const ms = fate === "late" ? this.#keeping.lateMs() : this.#delayMs();
      world.after(ms, () => {
        if (this.#downs > 0 || !world.reachable(call.node, arbiterNode)) return;
        const result = this.#operate(work);
        if (result === null || fate === "answer lost") return;
        world.after(this.#delayMs(), () => {
          if (!world.reachable(arbiterNode, call.node)) return;
          world.inProcess(call.process, () => receive(result.value));
        });
      });
    }
  }

  /** One operation of the API server; null: it died in the middle of it. */
  #operate<T>(work: () => T): { readonly value: T } | null {
    const crash = this.#crash;
    if (crash === null || --crash.left > 0) return { value: work() };
    this.#crash = null;
    if (below(this.#keeping.world.random, 2) === 0) work();
    this.down(0, crash.forMs);
    crash.onStrike();
    return null;
  }

  #conflicted(resourceVersion: string, record: VmRecord): "updated" | "conflict" {
    if (this.#conflicts > 0) {
      this.#conflicts--;
      this.#lease.touch();
      this.#onConflict();
      this.#onConflict = () => {};
    }
    return this.#update(resourceVersion, record);
  }

  #update(resourceVersion: string, record: VmRecord): "updated" | "conflict" {
    const result = this.#lease.update(resourceVersion, record);
    if (result === "updated") this.#keeping.onDurable(record);
    return result;
  }

  #delayMs(): number {
    return this.#keeping.delayMs() + this.#slowMs;
  }
}
