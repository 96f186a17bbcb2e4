/**
 * A deterministic world for the protocol of the pair: simulated time, computers, a network, the
 * record's store and console clients, around the real cores. Everything that happens at the edges
 * of the cores is told to one listener; nothing in here judges.
 */
import { assert } from "../../../src/shared/assert.ts";
import type { VmRecord } from "../../../src/shared/protocol/record.ts";
import { type PairBounds, pairBounds } from "../../../src/vm-runner/failover/pair-bounds.ts";
import type { PairTimings } from "../../../src/vm-runner/failover/pair-timings.ts";
import type {
  ExitReason,
  PairEffect,
  PairInput,
  Role,
} from "../../../src/vm-runner/failover/pair-types.ts";
import type { LogInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Happening, Node, SimEvent } from "../events.ts";
import { Arbiters } from "../record/arbiter.ts";
import type { RecordWorld } from "../record/record-call.ts";
import type { GuestShape, Scenario } from "../scenario.ts";
import {
  type ClientConnection,
  type ClientHandlers,
  type ClientWorld,
  SimulatedClient,
} from "./client.ts";
import { Agenda, DriftingClock } from "./clock.ts";
import { gatewayNode, type SimulatedGateway } from "./gateway.ts";
import { Network } from "./network.ts";
import { Outside } from "./outside.ts";
import { type Random, randomOf } from "./random.ts";
import { SimulatedRunner } from "./runner.ts";
import type { StreamEnd } from "./stream.ts";

export interface WorldListener {
  onEvent(event: SimEvent): void;
  /** A core took in an input: not an event, since there are so many. */
  onInput?(
    runner: SimulatedRunner,
    role: Role["kind"],
    input: PairInput,
    effects: readonly PairEffect[],
  ): void;
  onEnded?(runner: SimulatedRunner): void;
}

/** The computer of all console clients. */
const clientNode: Node = "client";

/** Small buffers, so that a short run can fill them. */
const smallBounds: Partial<PairBounds> = {
  logBufferBytesMax: 16 * 1024,
  unacknowledgedEntriesMax: 120,
  recorderAheadEntriesMax: 40,
  transferLogBytesMax: 64 * 1024,
  transferTimeoutMs: 4_000,
  heldEgressBytesMax: 4 * 1024,
};

export class World {
  readonly vm = "vm-1";
  readonly agenda = new Agenda();
  readonly network: Network;
  readonly arbiters: Arbiters;
  readonly guest: GuestShape;
  readonly timings: PairTimings;
  /** How long a runner that is told to leave waits for somebody to hand over to. */
  readonly leaveWaitMs: number;
  readonly bounds: PairBounds = { ...pairBounds, ...smallBounds };
  readonly runners: SimulatedRunner[] = [];
  readonly clients: SimulatedClient[] = [];
  /** What the guest's card is connected to. */
  readonly outside: Outside | null;
  readonly random: Random;
  readonly #scenario: Scenario;
  readonly #listener: WorldListener;
  readonly #clocks = new Map<Node, DriftingClock>();
  readonly #versions = new Map<Node, string>();
  /** All that were ever true, in the order of their epochs. */
  readonly #records: VmRecord[] = [];
  /** The gateway's next readings are so many epochs old. */
  #readingAge = 0;

  constructor(scenario: Scenario, listener: WorldListener) {
    this.#scenario = scenario;
    this.#listener = listener;
    this.guest = scenario.guest;
    this.timings = scenario.timings;
    this.leaveWaitMs = scenario.leaveWaitMs;
    this.random = this.randomFor("world");
    this.network = new Network(this.agenda, this.randomFor("network"), scenario.network);
    this.arbiters = this.#newArbiters();
    const runnerNodes = [...scenario.nodes, ...scenario.spares];
    for (let i = 0; i < scenario.clients; i++) this.clients.push(this.#newClient(i, runnerNodes));
    this.outside = this.#newOutside();
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  /** The true record. */
  get record(): VmRecord {
    return this.arbiters.current();
  }

  randomFor(purpose: string): Random {
    return randomOf(this.#scenario.seed, purpose);
  }

  emit(happening: Happening): void {
    if (happening.kind === "granted") this.#records.push(happening.record);
    this.#listener.onEvent({ atMs: this.agenda.nowMs, ...happening });
  }

  onInput(
    runner: SimulatedRunner,
    role: Role["kind"],
    input: PairInput,
    effects: readonly PairEffect[],
  ): void {
    this.#listener.onInput?.(runner, role, input, effects);
  }

  onEnded(runner: SimulatedRunner, reason: ExitReason | null, message: string): void {
    const { nonce: process, node } = runner;
    this.emit({ kind: "ended", process, node, reason, message });
    this.#listener.onEnded?.(runner);
  }

  clockOf(node: Node): DriftingClock {
    const known = this.#clocks.get(node);
    if (known !== undefined) return known;
    const shape = this.#scenario.clocks[node] ?? { offsetMs: 0, rate: 1 };
    const clock = new DriftingClock(this.agenda, shape);
    this.#clocks.set(node, clock);
    return clock;
  }

  setVersion(node: Node, version: string): void {
    this.#versions.set(node, version);
  }

  fingerprint(node: Node): { readonly version: string } {
    return { version: this.#versions.get(node) ?? "1" };
  }

  startInput(): LogInput {
    const seed = Uint8Array.from({ length: 32 }, () => Math.floor(256 * this.random()));
    return { kind: "start", seed, mac: new Uint8Array(6), wallClockMs: 1_700_000_000_000 };
  }

  /**
   * A new process on this computer, which is up again if it was down; it has a new nonce.
   * `restartEpoch`: the operator permits it to begin the VM anew at this epoch.
   */
  start(node: Node, restartEpoch: number | null = null): SimulatedRunner {
    assert(this.alive(node) === null, `a runner lives on ${node}`);
    this.network.setUp(node, true);
    const number = 1 + this.runners.filter((other) => other.node === node).length;
    const nonce = nonceOf(node, number);
    this.emit({ kind: "started", process: nonce, node });
    const runner = new SimulatedRunner(this, node, nonce, restartEpoch);
    this.runners.push(runner);
    return runner;
  }

  /** The last process of this computer. */
  at(node: Node): SimulatedRunner {
    const runner = this.runners.findLast((other) => other.node === node);
    assert(runner !== undefined, `nothing ever ran on ${node}`);
    return runner;
  }

  /** The process of this computer, if one lives. */
  alive(node: Node): SimulatedRunner | null {
    return this.runners.findLast((other) => other.node === node && other.alive) ?? null;
  }

  named(nonce: string | null): SimulatedRunner | null {
    return this.runners.findLast((other) => other.nonce === nonce) ?? null;
  }

  /** The runner that the record names, if it lives. */
  get primary(): SimulatedRunner | null {
    const runner = this.named(this.record.primary);
    return runner?.live === true ? runner : null;
  }

  /** The record names two living runners, and the primary knows it. */
  get paired(): boolean {
    const role = this.primary?.role;
    const known = role?.kind === "primary" && role.follower?.phase.kind === "paired";
    return known && this.named(this.record.backup)?.alive === true;
  }

  /** Connects to whatever process now has the address of the primary that `from` knows. */
  dial(from: SimulatedRunner): void {
    const { role } = from;
    const wanted =
      role.kind === "follower" ? role.primary : (from.state.view.known?.primary ?? null);
    const to = this.named(wanted)?.node ?? null;
    const failed = (refused: boolean) => from.input("dial", { kind: "dialFailed", refused });
    if (to === null || to === from.node) {
      this.agenda.after(this.timings.failureTimeoutMs, () => failed(false));
      return;
    }
    const opened = (end: StreamEnd) => {
      if (from.alive) from.dialled(end);
      else end.kill(false);
    };
    this.connect(from.node, to, opened, failed);
  }

  /** A handshake: there, and back; whoever cannot be reached says nothing for a while. */
  connect(
    from: Node,
    to: Node,
    opened: (end: StreamEnd) => void,
    failed: (refused: boolean) => void,
  ): void {
    const { agenda, network } = this;
    const there = network.latencyMs(from, to);
    const back = network.latencyMs(to, from);
    agenda.after(there + back, () => {
      const listener = this.#listenerOn(to);
      const passes = network.passes(from, to) && network.passes(to, from);
      if (!passes || listener?.standsStill === true) {
        agenda.after(this.timings.failureTimeoutMs, () => failed(false));
      } else if (listener === null) {
        failed(true);
      } else {
        const [ours, theirs] = network.connect(from, to);
        listener.accept(theirs);
        opened(ours);
      }
    });
  }

  /** The next gateway process, which starts now, reads the record as it was `epochs` ago. */
  misleadGateway(epochs: number): void {
    this.#readingAge = epochs;
    this.outside?.crash(false, 0);
  }

  sendHeartbeat(from: SimulatedRunner, line: string): void {
    for (const node of [...this.#scenario.nodes, ...this.#scenario.spares]) {
      if (node === from.node) continue;
      this.network.datagram(from.node, node, () => this.alive(node)?.onHeartbeat(line));
    }
  }

  /** Lets everything happen that does before `ms` have passed. */
  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    while (this.agenda.nextMs < endMs) {
      const settling = this.agenda.next();
      if (settling !== null) await settling;
    }
    this.agenda.nowMs = endMs;
  }

  /** Goes on until something is so; false when it is not within `boundMs`. */
  async reaches(isSo: () => boolean, boundMs: number): Promise<boolean> {
    const endMs = this.nowMs + boundMs;
    while (!isSo()) {
      if (this.nowMs > endMs) return false;
      const settling = this.agenda.next();
      if (settling !== null) await settling;
    }
    return true;
  }

  describe(): string {
    const lines = this.runners.map(({ nonce, alive, standsStill, role, exit }) => {
      const follower = role.kind === "primary" ? ` with ${role.follower?.phase.kind}` : "";
      const gone = alive ? "" : ` gone: ${exit?.reason ?? "crashed"} ${exit?.message ?? ""}`;
      return `${nonce} ${role.kind}${follower}${standsStill ? " stands still" : ""}${gone}`;
    });
    return [`${Math.round(this.nowMs)} ms`, JSON.stringify(this.record), ...lines].join("\n");
  }

  /** A runner's or the gateway's. */
  #process(name: string): SimulatedRunner | SimulatedGateway | null {
    const gateway = this.outside?.gateway ?? null;
    return gateway?.name === name ? gateway : this.named(name);
  }

  #newArbiters(): Arbiters {
    const world: RecordWorld = {
      random: this.randomFor("arbiters"),
      after: (ms, run) => this.agenda.after(ms, run),
      reachable: (from, to) => {
        return this.network.passes(from, to) && !this.network.takeCorruption(from, to);
      },
      emit: (happening) => this.emit(happening),
      inProcess: (process, run) => this.#process(process)?.inProcess("record", run),
    };
    return new Arbiters(world, this.#scenario.store, this.vm);
  }

  /** Whoever takes connections at this computer's address. */
  #listenerOn(node: Node): {
    readonly standsStill: boolean;
    accept(end: StreamEnd): void;
  } | null {
    return node === gatewayNode ? (this.outside?.gateway ?? null) : this.alive(node);
  }

  #newOutside(): Outside | null {
    const { outside } = this.#scenario;
    if (outside === null) return null;
    const parts = {
      vm: this.vm,
      agenda: this.agenda,
      random: this.randomFor("gateway"),
      emit: (happening: Happening) => this.emit(happening),
      readRecord: (process: string, told: (record: VmRecord | null | undefined) => void) =>
        this.#readForGateway(process, told),
      setGatewayUp: (up: boolean) => this.network.setUp(gatewayNode, up),
    };
    return new Outside(parts, outside, (purpose) => this.randomFor(purpose));
  }

  #readForGateway(process: string, told: (record: VmRecord | null | undefined) => void): void {
    this.arbiters.read(gatewayNode, process, (answer) => {
      if (answer.kind !== "recordRead") {
        told(undefined);
        return;
      }
      const age = this.#readingAge;
      this.#readingAge = 0;
      const old = age === 0 ? undefined : this.#records.at(-1 - age);
      if (old !== undefined) this.emit({ kind: "misled", process, epoch: old.epoch });
      told(old ?? answer.record);
    });
  }

  #newClient(number: number, nodes: readonly Node[]): SimulatedClient {
    const world = this;
    const random = this.randomFor(`client ${number}`);
    const outside: ClientWorld = {
      get nowMs() {
        return world.nowMs;
      },
      after: (ms, run) => this.agenda.after(ms, run),
      connect: (node, handlers) => this.#connectClient(node, handlers),
      emit: (happening) => this.emit(happening),
    };
    return new SimulatedClient(outside, { writer: 1_000 + number, nodes, random });
  }

  #connectClient(node: Node, handlers: ClientHandlers): ClientConnection {
    let end: StreamEnd | null = null;
    let wanted = true;
    const opened = (stream: StreamEnd) => {
      end = stream;
      if (!wanted) {
        stream.end();
        return;
      }
      stream.handlers = {
        onData: (bytes) => handlers.onData(bytes),
        onClosed: () => handlers.onClosed(),
      };
      handlers.onOpen();
    };
    this.connect(clientNode, node, opened, () => {
      if (wanted) handlers.onClosed();
    });
    return {
      send: (bytes) => end?.send(bytes),
      end: () => {
        wanted = false;
        end?.end();
      },
    };
  }
}

/** A process is somebody new each time: a computer's name would be somebody who has lived before. */
function nonceOf(node: Node, number: number): string {
  return `${node}${number}`;
}
