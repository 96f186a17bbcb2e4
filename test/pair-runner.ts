/** One runner of the simulated pair: the real core, the real executor, and a small machine. */
import { heartbeatIntervalMs } from "../src/shared/limits.ts";
import { initialState, step } from "../src/vm-runner/failover/pair.ts";
import { pairBounds } from "../src/vm-runner/failover/pair-bounds.ts";
import type {
  ExitReason,
  PairEffect,
  PairInput,
  PairReport,
  PairState,
} from "../src/vm-runner/failover/pair-types.ts";
import type { ChannelMessage } from "../src/vm-runner/logging-channel/messages.ts";
import { Executor } from "../src/vm-runner/replay/executor.ts";
import type { ExecutorEvent, RunnerOutput } from "../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../src/vm-runner/replay/log-entry.ts";
import type { Wire } from "./pair-network.ts";
import type { World } from "./pair-world.ts";
import { newTarget, SimulatedMachine } from "./simulation/machine.ts";
import { newSha256 } from "./simulation/sha256.ts";

const tickMs = 10;
const chunkMs = 3;
/** What one turn of the executor takes. */
const turnMs = 0.2;

export class SimRunner {
  readonly nonce: string;
  /** The computer it runs on; its address. */
  readonly node: string;
  state: PairState;
  alive = true;
  /** Nothing of the process runs: SIGSTOP. */
  frozen = false;
  /** Only the VM thread stands still. */
  wedged = false;
  /** A slow computer: what one step takes. */
  stepMs = turnMs;
  exit: { readonly reason: ExitReason; readonly message: string } | null = null;
  /** The last entry acknowledged, or recorded by itself; -1 before the first. */
  acknowledged: StepIndex = -1;
  readonly reports: PairReport[] = [];
  readonly #world: World;
  readonly #clockMs: number;
  readonly #executor: Executor;
  readonly #mailbox: PairInput[] = [];
  readonly #wires = new Map<number, Wire>();
  readonly #remembered: RunnerOutput[] = [];
  /** The step that made each output. */
  readonly #steps = new WeakMap<RunnerOutput, StepIndex>();
  /** The last step in the history that came with a snapshot. */
  #historyStep: StepIndex = -1;
  #links = 0;
  #turns = 0;
  #turning = false;

  constructor(world: World, node: string, nonce: string) {
    this.#world = world;
    this.node = node;
    this.nonce = nonce;
    this.#clockMs = 1_000_000 * world.random();
    const machine = new SimulatedMachine({ memoryBytes: world.memoryBytes });
    const parts = { machine, startUs: 0, newTarget: newTarget(), newHash: newSha256 };
    this.#executor = new Executor(parts);
    const config = {
      vm: world.vm,
      nonce,
      fingerprint: world.fingerprint(node),
      bounds: pairBounds,
    };
    this.state = initialState(config, this.nowMs);
    this.#every(tickMs, () => this.input({ kind: "tick" }));
    this.#every(heartbeatIntervalMs, () => this.#sendHeartbeats());
    this.#turnIn(0);
  }

  /** Its own clock: no two runners agree on the time. */
  get nowMs(): number {
    return this.#world.nowMs + this.#clockMs;
  }

  get role(): PairState["role"] {
    return this.state.role;
  }

  /** Named by the record it knows, and the recorder runs. */
  get live(): boolean {
    return this.alive && this.role.kind === "primary" && this.role.live;
  }

  input(input: PairInput): void {
    if (!this.alive) return;
    if (this.frozen) {
      if (input.kind !== "tick") this.#mailbox.push(input);
      return;
    }
    this.#world.noteCoverage(this.role.kind, input);
    const before = this.role.kind;
    const { state, effects } = step(this.state, input, this.nowMs);
    this.state = state;
    this.#note(before);
    for (const effect of effects) this.#perform(effect);
  }

  /** The process is gone; `silent`: with its computer, so that nobody is told. */
  crash(silent = false): void {
    this.alive = false;
    this.#turns++;
    if (!silent) for (const wire of this.#wires.values()) wire.close(this);
  }

  freeze(): void {
    this.frozen = true;
  }

  /** Everything that came meanwhile comes now, after one tick or before it. */
  thaw(tickFirst = true): void {
    this.frozen = false;
    if (tickFirst) this.input({ kind: "tick" });
    for (const input of this.#mailbox.splice(0)) this.input(input);
    this.input({ kind: "tick" });
    this.#turnIn(0);
  }

  unwedge(): void {
    this.wedged = false;
    this.#turnIn(0);
  }

  attach(wire: Wire): number {
    this.#links++;
    this.#wires.set(this.#links, wire);
    return this.#links;
  }

  /** Sends something on the connection that the runner uses now. */
  say(message: ChannelMessage): void {
    this.#wires.get(this.#links)?.send(this, message);
  }

  /** Breaks all connections of this runner. */
  cutWires(): void {
    for (const wire of this.#wires.values()) wire.cut();
  }

  #note(before: PairState["role"]["kind"]): void {
    const { role } = this;
    if (role.kind === "follower" || role.kind === "takingOver") this.acknowledged = role.received;
    if (role.kind !== "primary") return;
    this.acknowledged = role.log.next - 1;
    if (before === "primary") return;
    this.#world.observer.lived(this, this.state.view.known?.epoch ?? -1, role.log.next - 1);
  }

  #perform(effect: PairEffect): void {
    switch (effect.kind) {
      case "executor":
        this.#executor.command(effect.command);
        this.#turnIn(0);
        return;
      case "recordFirstLife":
        this.#executor.command({ kind: "record", inputs: [this.#world.startInput()] });
        this.#turnIn(0);
        return;
      case "dial":
        this.#world.dial(this);
        return;
      case "send":
        this.#send(effect.link, effect.message);
        return;
      case "hangUp":
        this.#wires.get(effect.link)?.close(this);
        return;
      case "ask":
        this.#world.arbiter.ask(this, effect.request);
        return;
      case "readRecord":
        this.#world.arbiter.read(this);
        return;
      case "remember":
        this.#remembered.push(effect.output);
        return;
      case "release":
        this.#letOut(effect.output);
        return;
      case "releaseRemembered":
        for (const output of this.#remembered) this.#letOut(output);
        return;
      case "report":
        this.reports.push(effect.report);
        return;
      case "exit":
        this.exit = { reason: effect.reason, message: effect.message };
        this.crash();
    }
  }

  #send(link: number, message: ChannelMessage): void {
    this.#wires.get(link)?.send(this, message);
    if (message.kind !== "snapshotChunk") return;
    this.#world.after(chunkMs, () => this.input({ kind: "chunkSent", id: message.id }));
  }

  #letOut(output: RunnerOutput): void {
    const index = this.#steps.get(output) ?? this.#historyStep;
    this.#world.observer.released(this, output, index);
  }

  #sendHeartbeats(): void {
    if (this.frozen) return;
    for (const other of this.#world.othersReachedFrom(this)) {
      this.#world.after(this.#world.latencyMs, () => {
        other.input({ kind: "heartbeat", nonce: this.nonce });
      });
    }
  }

  #every(ms: number, what: () => void): void {
    this.#world.after(ms, () => {
      if (!this.alive) return;
      what();
      this.#every(ms, what);
    });
  }

  /** The executor's next turn; a command wakes a sleeping one. */
  #turnIn(ms: number): void {
    if (this.#turning) return;
    this.#turns++;
    const turn = this.#turns;
    this.#world.after(ms, async () => {
      if (turn === this.#turns && this.alive && !this.frozen && !this.wedged) await this.#turn();
    });
  }

  async #turn(): Promise<void> {
    this.#turning = true;
    const { events, next } = this.#executor.turn(Math.round(this.nowMs * 1000));
    for (const event of events) this.#onEvent(event);
    if (next.kind === "await") await next.promise;
    // A spare of the small machine is made in a few microtasks.
    if (next.kind === "yield") for (let i = 0; i < 8; i++) await null;
    this.#turning = false;
    const sleepMs = next.kind === "sleep" || next.kind === "yield" ? next.us / 1000 : 0;
    this.#turnIn(Math.max(this.stepMs, sleepMs));
  }

  #onEvent(event: ExecutorEvent): void {
    if (event.kind === "output") this.#steps.set(event.output, event.index);
    if (event.kind === "restored") this.#historyStep = event.first - 1;
    this.input({ kind: "executor", event });
  }
}
