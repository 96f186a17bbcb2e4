/**
 * A deterministic world for the protocol of the pair: simulated time, computers, connections and
 * the record's store; real cores and executors. The same seed gives the same run. An observer
 * (pair-observer.ts) watches every output.
 */
import { assert } from "../src/shared/assert.ts";
import type { VmRecord } from "../src/shared/protocol/record.ts";
import type { PairInput } from "../src/vm-runner/failover/pair-types.ts";
import type { LogInput } from "../src/vm-runner/replay/log-entry.ts";
import { SimArbiter, Wire } from "./pair-network.ts";
import { Observer } from "./pair-observer.ts";
import { SimRunner } from "./pair-runner.ts";

const dialTimeoutMs = 300;

interface Happening {
  readonly atMs: number;
  readonly number: number;
  readonly run: () => unknown;
}

/** Which input met which role, over all worlds of this process. */
export const coverage = new Set<string>();

export class World {
  readonly vm = "vm-1";
  readonly random: () => number;
  readonly arbiter = new SimArbiter(this);
  readonly observer: Observer;
  readonly runners: SimRunner[] = [];
  latencyMs = 0.5;
  /** Of the guests of runners that start from now on. */
  memoryBytes = 64 * 1024;
  nowMs = 0;
  readonly #agenda: Happening[] = [];
  readonly #fingerprints = new Map<string, string>();
  readonly #partitions = new Set<string>();
  #number = 0;
  #typed = 0;

  constructor(seed = 1) {
    this.random = generator(seed);
    const record = () => this.record;
    this.observer = new Observer(record, (nonce) => this.runner(nonce));
    this.arbiter.store.apply({ kind: "create", vm: this.vm });
  }

  get record(): VmRecord {
    const record = this.arbiter.store.read(this.vm);
    assert(record !== null, "the record was made with the world");
    return record;
  }

  /** The last process of this computer. */
  at(node: string): SimRunner {
    const runner = this.runners.findLast((other) => other.node === node);
    assert(runner !== undefined, `nothing ever ran on ${node}`);
    return runner;
  }

  runner(nonce: string): SimRunner {
    const runner = this.runners.find((other) => other.nonce === nonce);
    assert(runner !== undefined, `no runner ${nonce}`);
    return runner;
  }

  /** A new process, with a new nonce. */
  start(node: string): SimRunner {
    const processes = this.runners.filter((other) => other.node === node).length;
    const runner = new SimRunner(this, node, `${node}${processes + 1}`);
    this.runners.push(runner);
    return runner;
  }

  /** The runner that the record names, if it lives. */
  get primary(): SimRunner | null {
    const runner = this.runners.find(({ nonce }) => nonce === this.record.primary);
    return runner?.live === true ? runner : null;
  }

  /** The record names two living runners, and the primary knows it. */
  get paired(): boolean {
    const role = this.primary?.role;
    const backup = this.runners.find(({ nonce }) => nonce === this.record.backup);
    const known = role?.kind === "primary" && role.follower?.phase.kind === "paired";
    return known && backup?.alive === true;
  }

  /** Types at the console of whoever is primary. */
  type(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const input: LogInput = { kind: "console", writer: 7, position: this.#typed, bytes };
    this.#typed += bytes.length;
    this.primary?.input({ kind: "consoleInput", input });
  }

  setVersion(node: string, version: string): void {
    this.#fingerprints.set(node, version);
  }

  fingerprint(node: string): { readonly version: string } {
    return { version: this.#fingerprints.get(node) ?? "1" };
  }

  startInput(): LogInput {
    const seed = Uint8Array.from({ length: 32 }, () => Math.floor(256 * this.random()));
    return { kind: "start", seed, mac: new Uint8Array(6), wallClockMs: 1_700_000_000_000 };
  }

  partition(a: string, b: string): void {
    this.#partitions.add([a, b].sort().join("|"));
  }

  heal(): void {
    this.#partitions.clear();
  }

  partitioned(a: string, b: string): boolean {
    return this.#partitions.has([a, b].sort().join("|"));
  }

  othersReachedFrom(from: SimRunner): readonly SimRunner[] {
    return this.runners.filter(
      (other) => other.alive && other !== from && !this.partitioned(from.node, other.node),
    );
  }

  /** Connects to whatever process now has the address of the primary that `from` knows. */
  dial(from: SimRunner): void {
    const { role } = from;
    const wanted = role.kind === "follower" ? role.primary : from.state.view.known?.primary;
    const named = this.runners.find(({ nonce }) => nonce === wanted);
    const failed = (refused: boolean) => from.input({ kind: "dialFailed", refused });
    if (named === undefined || this.partitioned(from.node, named.node)) {
      this.after(dialTimeoutMs, () => failed(false));
      return;
    }
    this.after(2 * this.latencyMs, () => {
      const listener = this.at(named.node);
      if (!from.alive) return;
      if (!listener.alive) {
        failed(true);
        return;
      }
      const wire = new Wire(this, from, listener);
      from.input({ kind: "dialled", link: wire.linkOf(from) });
    });
  }

  after(ms: number, run: () => unknown): void {
    this.#number++;
    const happening = { atMs: this.nowMs + ms, number: this.#number, run };
    let at = this.#agenda.length;
    // Most things happen soon: the agenda is kept with the next one at its end.
    while (at > 0 && isBefore(this.#agenda[at - 1], happening)) at--;
    this.#agenda.splice(at, 0, happening);
  }

  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    while ((this.#agenda.at(-1)?.atMs ?? endMs) < endMs) await this.#next();
    this.nowMs = endMs;
  }

  /** Goes on until something is so; throws when it is not within `boundMs`. */
  async until(what: string, isSo: () => boolean, boundMs = 5_000): Promise<void> {
    const endMs = this.nowMs + boundMs;
    while (!isSo()) {
      if (this.nowMs > endMs)
        throw new Error(`not so in ${boundMs} ms: ${what}\n${this.describe()}`);
      await this.#next();
    }
  }

  describe(): string {
    const lines = this.runners.map(({ nonce, alive, frozen, role, exit }) => {
      const follower = role.kind === "primary" ? ` with ${role.follower?.phase.kind}` : "";
      const gone = alive ? "" : ` gone: ${exit?.reason ?? "crashed"} ${exit?.message ?? ""}`;
      return `${nonce} ${role.kind}${follower}${frozen ? " frozen" : ""}${gone}`;
    });
    return [`${this.nowMs} ms`, JSON.stringify(this.record), ...lines].join("\n");
  }

  noteCoverage(role: string, input: PairInput): void {
    let detail: string = input.kind;
    if (input.kind === "message") detail = `message ${input.message.kind}`;
    if (input.kind === "executor") detail = `executor ${input.event.kind}`;
    coverage.add(`${role}: ${detail}`);
  }

  async #next(): Promise<void> {
    const happening = this.#agenda.pop();
    assert(happening !== undefined, "nothing will ever happen again");
    this.nowMs = Math.max(this.nowMs, happening.atMs);
    const result = happening.run();
    if (result instanceof Promise) await result;
  }
}

/** Two runners, started one after the other, and paired. */
export async function pairedWorld(): Promise<World> {
  const world = new World();
  world.start("a");
  await world.until("a lives", () => world.primary !== null);
  world.start("b");
  await world.until("paired", () => world.paired);
  return world;
}

function isBefore(other: Happening | undefined, happening: Happening): boolean {
  if (other === undefined) return false;
  return (
    other.atMs < happening.atMs ||
    (other.atMs === happening.atMs && other.number < happening.number)
  );
}

/** Mulberry32: small, seeded, good enough for choosing faults. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
