/**
 * A runner process of the simulated world: the real core of the pair, the real executor and the
 * real console service; what `src/vm-runner/host/runner.ts` does with sockets and threads is done
 * here with simulated ones. It can be killed before and after every effect, and be held for any
 * time and go on with its old state.
 */
import { assert } from "../../../src/shared/assert.ts";
import { ConsoleService } from "../../../src/vm-runner/console/console-service.ts";
import { HeartbeatJudge, HeartbeatWriter } from "../../../src/vm-runner/failover/heartbeat.ts";
import { initialState, step } from "../../../src/vm-runner/failover/pair.ts";
import type {
  ExitReason,
  PairEffect,
  PairInput,
  PairReport,
  PairState,
} from "../../../src/vm-runner/failover/pair-types.ts";
import type { ChannelMessage } from "../../../src/vm-runner/logging-channel/messages.ts";
import type { RunnerOutput } from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { ExecutedStep, Node } from "../events.ts";
import { SimulatedMachine } from "../machine/machine.ts";
import { newTarget } from "../machine/snapshot-target.ts";
import { reportBuffers } from "./buffers.ts";
import type { DriftingClock } from "./clock.ts";
import { SimulatedEndpoint } from "./endpoint.ts";
import { GuestNetwork } from "./guest-network.ts";
import { Mailbox } from "./mailbox.ts";
import type { Random } from "./random.ts";
import type { StreamEnd } from "./stream.ts";
import { instanceMade, SimulatedVmThread } from "./vm-thread.ts";
import { Witness } from "./witness.ts";
import type { World } from "./world.ts";

const tickMs = 10;

/** What waits for the n-th effect from now. */
interface Ambush {
  left: number;
  readonly when: "before" | "after";
  /** Whether it struck; else it waits for the next effect. */
  readonly strike: () => boolean;
}

export class SimulatedRunner {
  readonly nonce: string;
  /** The computer it runs on; its address. */
  readonly node: Node;
  readonly clock: DriftingClock;
  readonly thread: SimulatedVmThread;
  state: PairState;
  alive = true;
  exit: { readonly reason: ExitReason; readonly message: string } | null = null;
  readonly reports: PairReport[] = [];
  /** The next move into a fresh instance fails. */
  moveFails = false;
  readonly #world: World;
  readonly #random: Random;
  readonly #endpoint: SimulatedEndpoint;
  readonly #console: ConsoleService;
  readonly #network: GuestNetwork;
  readonly #mailbox = new Mailbox<() => void>();
  readonly #heartbeats: HeartbeatWriter;
  readonly #judge: HeartbeatJudge;
  readonly #remembered: RunnerOutput[] = [];
  readonly #witness: Witness;
  readonly #buffers = new Map<string, number>();
  readonly #waiting: PairInput[] = [];
  #feeding = false;
  #commanded = false;
  #heldIo = 0;
  #heldHeartbeats = 0;
  #ambush: Ambush | null = null;
  /** Not performed yet: the process was held in the middle. */
  #interrupted: readonly PairEffect[] = [];

  constructor(world: World, node: Node, nonce: string, restartEpoch: number | null) {
    this.#world = world;
    this.node = node;
    this.nonce = nonce;
    const { agenda } = world;
    this.#random = world.randomFor(`runner ${nonce}`);
    this.clock = world.clockOf(node);
    const config = {
      vm: world.vm,
      nonce,
      fingerprint: world.fingerprint(node),
      bounds: world.bounds,
      timings: world.timings,
      restartEpoch,
      leaveWaitMs: world.leaveWaitMs,
    };
    this.#witness = new Witness(nonce, (happening) => world.emit(happening));
    this.#heartbeats = new HeartbeatWriter({ vm: world.vm, nonce });
    this.#judge = new HeartbeatJudge({ vm: world.vm, nonce });
    this.state = initialState(config, this.clock.nowMs);
    this.#console = new ConsoleService({
      onInput: (input) => this.input("console", { kind: "guestInput", input }),
    });
    this.#network = new GuestNetwork({
      ...{ world, node, nonce },
      inProcess: (run) => this.inProcess("gateway", run),
      onIngress: (input) => this.#feed({ kind: "guestInput", input }),
      epoch: () => this.#epoch,
    });
    this.#endpoint = new SimulatedEndpoint(agenda, this.#random, this.#console, {
      onMessage: (link, message) => this.input(`link ${link}`, { kind: "message", link, message }),
      onClosed: (link) => this.input(`link ${link}`, { kind: "linkClosed", link }),
      onChunkSent: (id) => this.input("sent", { kind: "chunkSent", id }),
      onBadPeer: () => {},
    });
    const options = {
      ...world.guest,
      watch: (made: ExecutedStep) => this.#witness.onStep(made),
      ready: () => instanceMade(agenda, this.#random),
      fails: () => this.#takeFailure(),
    };
    this.thread = new SimulatedVmThread({
      agenda,
      random: this.#random,
      clock: this.clock,
      machine: new SimulatedMachine(options),
      newTarget: newTarget(options, ({ chain }) => this.#witness.onMachine(chain)),
      onSaid: (event) => this.#witness.onSaid(event, this.#epoch),
      onEvents: (events) => {
        for (const event of events) this.input("executor", { kind: "executor", event });
      },
    });
    this.#every(tickMs, () => this.#tick());
    this.#every(world.timings.heartbeatIntervalMs, () => this.#sendHeartbeats());
    this.#tick();
  }

  get role(): PairState["role"] {
    return this.state.role;
  }

  /** As it knows the record. */
  get #epoch(): number {
    return this.state.view.known?.epoch ?? -1;
  }

  /** Named by the record it knows, and the recorder runs. */
  get live(): boolean {
    return this.alive && this.role.kind === "primary" && this.role.live;
  }

  get standsStill(): boolean {
    return this.#heldIo > 0;
  }

  /** What happens to the process; while it stands still it waits in its source's order. */
  input(source: string, input: PairInput): void {
    this.inProcess(source, () => this.#feed(input));
  }

  /** Runs it in the process: now, or once it no longer stands still; never when it has ended. */
  inProcess(source: string, run: () => void): void {
    if (!this.alive) return;
    if (this.#heldIo > 0) this.#mailbox.put(source, run);
    else run();
  }

  /** Somebody connects to this runner's address. */
  accept(end: StreamEnd): void {
    this.#endpoint.accept(end);
  }

  dialled(end: StreamEnd): void {
    const link = this.#endpoint.dialled(end);
    this.input(`link ${link}`, { kind: "dialled", link });
  }

  /** A heartbeat's line came; the thread that hears them stands still in a freeze only. */
  onHeartbeat(line: string): void {
    const nonce = this.#judge.accept(line);
    if (nonce !== null) this.input("heartbeat", { kind: "heartbeat", nonce });
  }

  /** The process is gone; `silent`: with its computer, so that nobody is told. */
  crash(silent = false): void {
    this.#end(silent, null, silent ? "the computer died" : "killed");
  }

  /** Something strikes before or after performing the n-th effect from now. */
  ambush(nth: number, when: "before" | "after", strike: () => boolean): void {
    this.#ambush = { left: nth, when, strike };
  }

  /** What waits for an effect does not strike after all. */
  spare(): void {
    this.#ambush = null;
  }

  /** SIGSTOP: nothing of the process runs. */
  freeze(): void {
    this.stall();
    this.#heldHeartbeats++;
    this.thread.stand();
  }

  /** Everything that came meanwhile comes now; timers run first or last. */
  thaw(): void {
    this.#heldHeartbeats--;
    this.thread.goOn();
    this.unstall();
  }

  /** The I/O thread stands still. */
  stall(): void {
    this.#heldIo++;
  }

  unstall(): void {
    this.#heldIo--;
    if (this.#heldIo > 0) return;
    const rest = this.#interrupted;
    this.#interrupted = [];
    this.#performAll(rest);
    this.#takeWaiting();
    const tickFirst = this.#random() < 0.5;
    if (tickFirst) this.#tick();
    this.#takeMail();
    this.#tick();
  }

  /** Says something on a connection: for tests of what others do with it. */
  say(link: number, message: ChannelMessage): void {
    this.#endpoint.send(link, message);
  }

  /** Takes in an input, and those that come while its effects are performed. */
  #feed(input: PairInput): void {
    this.#waiting.push(input);
    if (!this.#feeding) this.#takeWaiting();
  }

  /** Who is held again in between keeps the rest. */
  #takeMail(): void {
    while (this.alive && this.#heldIo === 0) {
      const run = this.#mailbox.take(this.#random);
      if (run === undefined) return;
      run();
    }
  }

  #takeWaiting(): void {
    this.#feeding = true;
    while (this.alive && this.#heldIo === 0) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#take(next);
    }
    this.#feeding = false;
  }

  #take(input: PairInput): void {
    const role = this.role.kind;
    const { state, effects } = step(this.state, input, this.clock.nowMs);
    this.state = state;
    this.#witness.onTaken(input, state, this.clock.nowMs);
    this.#world.onInput(this, role, input, effects);
    if (input.kind === "message" && input.message.kind === "batch") {
      this.#world.emit({ kind: "received", process: this.nonce, batch: input.message.batch });
    }
    this.#performAll(effects);
    if (this.alive) reportBuffers(this, this.#buffers, this.#world);
  }

  /** In their order; who is held in the middle performs the rest when it goes on. */
  #performAll(effects: readonly PairEffect[]): void {
    for (const [i, effect] of effects.entries()) {
      if (!this.alive) return;
      if (this.#isStruck("before")) {
        this.#interrupted = effects.slice(i);
        return;
      }
      this.#perform(effect);
      if (this.#isStruck("after")) {
        this.#interrupted = effects.slice(i + 1);
        return;
      }
    }
  }

  /** Whether something that waited for this moment has killed or held the process. */
  #isStruck(when: "before" | "after"): boolean {
    const ambush = this.#ambush;
    if (ambush === null || ambush.when !== when || --ambush.left > 0) return false;
    if (!ambush.strike()) return false;
    this.#ambush = null;
    return true;
  }

  #perform(effect: PairEffect): void {
    switch (effect.kind) {
      case "executor":
        this.#commanded = true;
        this.thread.command(effect.command);
        return;
      case "recordFirstLife":
        // In production the VM thread is made now: nothing can have been said to it.
        assert(!this.#commanded, "a first life begins with its first command");
        this.thread.command({ kind: "record", inputs: [this.#world.startInput()] });
        return;
      case "dial":
        this.#world.dial(this);
        return;
      case "send":
        this.#endpoint.send(effect.link, effect.message);
        return;
      case "hangUp":
        this.#endpoint.hangUp(effect.link);
        return;
      case "ask":
        this.#world.arbiters.ask(this.node, this.nonce, effect.request, (a) => this.#feed(a));
        return;
      case "readRecord":
        this.#world.arbiters.read(this.node, this.nonce, (answer) => this.#feed(answer));
        return;
      case "remember":
        this.#console.remember(effect.output);
        this.#network.remember(effect.output);
        this.#remembered.push(effect.output);
        return;
      case "release":
        this.#witness.onReleased(effect.output, this.#epoch);
        this.#console.release(effect.output);
        this.#network.release(effect.output);
        return;
      case "releaseRemembered":
        for (const output of this.#remembered.splice(0)) {
          this.#witness.onReleased(output, this.#epoch);
        }
        this.#console.becomePrimary(effect.life);
        return;
      case "goLive":
        this.#network.goLive(effect.epoch, effect.life, effect.announcement);
        return;
      case "report":
        this.#report(effect.report);
        return;
      case "exit":
        this.exit = { reason: effect.reason, message: effect.message };
        this.#end(false, effect.reason, effect.message);
    }
  }

  #report(report: PairReport): void {
    this.reports.push(report);
    this.#witness.onReport(report, this.state, this.clock.nowMs);
    if (report.kind === "egressDropped") this.#network.onDropped(report.frames);
    if (report.kind !== "record") return;
    if (report.record.primary !== this.nonce) this.#console.resign();
    this.#network.onRecord(report.record);
  }

  #end(silent: boolean, reason: ExitReason | null, message: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.thread.end();
    this.#endpoint.die(silent);
    this.#network.die(silent);
    this.#world.onEnded(this, reason, message);
  }

  #tick(): void {
    if (this.alive && this.#heldIo === 0) this.#feed({ kind: "tick" });
  }

  #sendHeartbeats(): void {
    if (this.#heldHeartbeats > 0) return;
    this.#world.sendHeartbeat(this, this.#heartbeats.next(Math.max(0, this.#epoch)));
  }

  #every(ms: number, what: () => void): void {
    this.#world.agenda.after(this.clock.inWorldMs(ms), () => {
      if (!this.alive) return;
      what();
      this.#every(ms, what);
    });
  }

  #takeFailure(): boolean {
    const fails = this.moveFails;
    this.moveFails = false;
    return fails;
  }
}
