/**
 * The shell of the pair: hands inputs with their time to the core (failover/pair.ts) and performs
 * the effects it returns. It decides nothing.
 */
import type { Logger } from "../../platform/logging.ts";
import type { WriteTurn } from "../../platform/write-turn.ts";
import { unreachable } from "../../shared/assert.ts";
import type { Nonce, VmRecord } from "../../shared/protocol/record.ts";
import type { RecordClient } from "../../storage-arbiter/record/record-client.ts";
import type { ConsoleService } from "../console/console-service.ts";
import { initialState, step } from "../failover/pair.ts";
import type {
  ExitReason,
  PairConfig,
  PairEffect,
  PairInput,
  PairReport,
  PairState,
} from "../failover/pair-types.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { ExecutorCommand, ExecutorEvent, RunnerOutput } from "../replay/executor-protocol.ts";
import type { Address, Endpoint } from "../wire/endpoint.ts";
import type { GatewayLink } from "../wire/gateway-link.ts";
import type { Heartbeats } from "../wire/heartbeats.ts";
import type { PeerPlaces } from "../wire/peer-places.ts";
import type { RunnerMeter } from "./runner-meter.ts";
import { startInput } from "./start-input.ts";
import type { MachineOrigin, VmThread } from "./vm-thread.ts";

/** How often the core is told the time. */
const tickMs = 10;

export interface RunnerParts {
  readonly config: PairConfig;
  readonly logger: Logger;
  readonly record: RecordClient;
  readonly peers: PeerPlaces;
  readonly endpoint: Endpoint;
  readonly heartbeats: Heartbeats;
  readonly console: ConsoleService;
  readonly network: NetworkService;
  /** Null: this VM has no gateway, and its frames go nowhere. */
  readonly gateway: GatewayLink | null;
  /** What is sent while inputs are taken in leaves when that is done. */
  readonly turn: WriteTurn;
  readonly meter: RunnerMeter;
  /** What a VM's first life begins from. */
  readonly firstLife: () => Promise<MachineOrigin>;
  readonly startVmThread: (
    origin: MachineOrigin,
    onEvents: (events: readonly ExecutorEvent[]) => void,
  ) => VmThread;
  readonly onFailure: (error: Error) => void;
  readonly onExit: (reason: ExitReason, message: string) => void;
}

export class Runner {
  readonly #parts: RunnerParts;
  readonly #waiting: PairInput[] = [];
  #state: PairState;
  #feeding = false;
  #thread: VmThread | null = null;
  #early: ExecutorCommand[] | null = null;
  #warned = "";
  /** Where the heartbeats go. */
  #beating: Address | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#state = initialState(parts.config, performance.now());
  }

  get state(): PairState {
    return this.#state;
  }

  start(): void {
    this.#timer = setInterval(() => this.feed({ kind: "tick" }), tickMs);
    this.feed({ kind: "tick" });
  }

  /** Takes in what happened; an input that comes while effects are performed waits its turn. */
  feed(input: PairInput): void {
    this.#waiting.push(input);
    if (this.#feeding) return;
    this.#feeding = true;
    try {
      this.#parts.turn.run(() => this.#takeWaiting());
    } finally {
      this.#feeding = false;
    }
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#thread?.terminate();
  }

  #takeWaiting(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { state, effects } = step(this.#state, next, performance.now());
      this.#state = state;
      for (const effect of effects) this.#perform(effect);
    }
    this.#aimHeartbeats();
  }

  #aimHeartbeats(): void {
    const { peers, heartbeats } = this.#parts;
    const place = peers.placeOf(otherHalf(this.#state));
    if (place?.host === this.#beating?.host && place?.port === this.#beating?.port) return;
    this.#beating = place;
    heartbeats.setPeer(place);
  }

  #perform(effect: PairEffect): void {
    const { endpoint, turn, console, meter, onExit } = this.#parts;
    switch (effect.kind) {
      case "executor":
        // Outputs wait for what is on its way to the other half; the VM thread can wait for us.
        turn.after(() => this.#command(effect.command));
        return;
      case "recordFirstLife":
        this.#recordFirstLife();
        return;
      case "dial":
        this.#dial();
        return;
      case "send":
        meter.onSent(effect.message, endpoint.send(effect.link, effect.message));
        return;
      case "hangUp":
        endpoint.hangUp(effect.link);
        return;
      case "ask":
        this.#ask(effect.request);
        return;
      case "readRecord":
        this.#read();
        return;
      case "remember":
        this.#remember(effect.output);
        return;
      case "release":
        meter.onRelease(effect.output, effect.heldMs);
        this.#release(effect.output);
        return;
      case "releaseRemembered":
        console.becomePrimary(effect.life);
        return;
      case "goLive":
        this.#goLive(effect);
        return;
      case "report":
        this.#report(effect.report);
        return;
      case "exit":
        onExit(effect.reason, effect.message);
        return;
    }
    unreachable(effect);
  }

  #dial(): void {
    const { endpoint, peers } = this.#parts;
    const nonce = otherHalf(this.#state);
    const place = peers.placeOf(nonce);
    if (place !== null) {
      endpoint.dial(place);
      return;
    }
    this.#warn(`nobody can be dialled: it is not known where runner ${nonce} is`);
    this.feed({ kind: "dialFailed", refused: false });
  }

  /** The console and the network each take what is theirs. */
  #remember(output: RunnerOutput): void {
    const { console, network } = this.#parts;
    console.remember(output);
    network.remember(output);
  }

  #release(output: RunnerOutput): void {
    const { console, network } = this.#parts;
    console.release(output);
    network.release(output);
  }

  #goLive({ epoch, life, announcement }: Extract<PairEffect, { kind: "goLive" }>): void {
    const { network, gateway } = this.#parts;
    network.goLive(epoch, life, announcement);
    gateway?.hurry();
  }

  /** Anything but a first life begins with a state transfer, and with an empty machine. */
  #command(command: ExecutorCommand): void {
    if (this.#early !== null) {
      this.#early.push(command);
      return;
    }
    this.#thread ??= this.#startThread({ kind: "transfer" });
    this.#thread.command(command);
  }

  /** Commands that come while the first life is looked up wait for its thread. */
  #recordFirstLife(): void {
    const { firstLife, onFailure } = this.#parts;
    const commands: ExecutorCommand[] = [{ kind: "record", inputs: [startInput()] }];
    this.#early = commands;
    firstLife().then((origin) => {
      this.#early = null;
      const thread = this.#startThread(origin);
      this.#thread = thread;
      for (const command of commands) thread.command(command);
    }, onFailure);
  }

  #startThread(origin: MachineOrigin): VmThread {
    return this.#parts.startVmThread(origin, (events) => {
      this.#parts.turn.run(() => {
        for (const event of events) {
          this.#parts.meter.onExecutor(event);
          this.feed({ kind: "executor", event });
        }
      });
    });
  }

  #ask(request: Extract<PairEffect, { kind: "ask" }>["request"]): void {
    void this.#parts.record.apply(request).then((answer) => {
      if (answer.kind !== "no answer") {
        this.#warned = "";
        this.feed({ kind: "answer", request, outcome: answer });
        return;
      }
      this.#warn(`no answer to ${request.kind}: ${answer.message}`);
      if (answer.wrongKey) this.feed({ kind: "wrongKey", message: answer.message });
      this.feed({ kind: "noAnswer" });
    });
  }

  #read(): void {
    void this.#parts.record.read().then((answer) => {
      if (answer.kind === "read") {
        this.feed({ kind: "recordRead", record: answer.record });
        return;
      }
      this.#warn(`the record cannot be read: ${answer.message}`);
      if (answer.wrongKey) this.feed({ kind: "wrongKey", message: answer.message });
      this.feed({ kind: "recordUnreadable" });
    });
  }

  /** Said once, however often the same is tried again. */
  #warn(problem: string): void {
    if (problem === this.#warned) return;
    this.#warned = problem;
    this.#parts.logger.warn(problem);
  }

  #report(report: PairReport): void {
    const { logger, meter } = this.#parts;
    meter.onReport(report);
    if (isFrequent(report)) return;
    logger.info(report, report.kind);
    if (report.kind === "record") this.#onRecord(report.record);
  }

  #onRecord({ epoch, primary }: VmRecord): void {
    const { heartbeats, console, network, config } = this.#parts;
    heartbeats.setEpoch(epoch);
    if (primary === config.nonce) {
      network.setEpoch(epoch);
      return;
    }
    console.resign();
    network.resign();
  }
}

/** With whom this runner is, or would be, a pair; null: with nobody that it knows of. */
function otherHalf({ role, view, config }: PairState): Nonce | null {
  switch (role.kind) {
    case "primary":
      return role.follower?.nonce ?? null;
    case "follower":
      return role.primary;
    case "candidate":
    case "takingOver":
    case "stopped": {
      const primary = view.known?.primary ?? null;
      return primary === config.nonce ? null : primary;
    }
  }
  return unreachable(role);
}

/** Measured, but no news for the log. */
function isFrequent({ kind }: PairReport): boolean {
  return kind === "lag" || kind === "acknowledged" || kind === "egressDropped";
}
