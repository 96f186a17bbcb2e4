/**
 * One half of a pair: builds the shell around the core and runs it until the record or the user
 * ends it. Whatever ends the runner is mapped to a documented exit code.
 */
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import { readKeyFile } from "../platform/key-file.ts";
import { createLogger, type Logger } from "../platform/logging.ts";
import { WriteTurn } from "../platform/write-turn.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import type { Epoch, Nonce } from "../shared/protocol/record.ts";
import { ConsoleService } from "./console/console-service.ts";
import { pairBounds } from "./failover/pair-bounds.ts";
import type { PairTimings } from "./failover/pair-timings.ts";
import type { ExitReason, Link, PairInput, PairState } from "./failover/pair-types.ts";
import { startControl } from "./host/control-server.ts";
import { type ResolvedMachine, resolveFirstLife, resolveMachine } from "./host/guest.ts";
import type { GuestChoice } from "./host/guest-files.ts";
import type { PowerSwitch } from "./host/power-switch.ts";
import { Runner } from "./host/runner.ts";
import { startRunnerHttp } from "./host/runner-http.ts";
import { RunnerMeter } from "./host/runner-meter.ts";
import { type MachineOrigin, startVmThread } from "./host/vm-thread.ts";
import type { ChannelMessage } from "./logging-channel/messages.ts";
import { type NetworkCounters, NetworkService } from "./network/network-service.ts";
import { serveReader } from "./wire/console-reader.ts";
import { type Address, Endpoint } from "./wire/endpoint.ts";
import { GatewayLink } from "./wire/gateway-link.ts";
import { startHeartbeats } from "./wire/heartbeats.ts";
import { openRecord, type RecordAccess, type RecordWay } from "./wire/record-access.ts";

export interface RunnerOptions {
  readonly vm: string;
  readonly name: string;
  readonly guest: GuestChoice;
  readonly memoryMiB: number;
  readonly listen: Address;
  readonly record: RecordWay;
  readonly keyFile: string;
  readonly http: Address;
  /** Where orders are taken; null: at `http`. */
  readonly control: Address | null;
  /** Null: the guest has no network. */
  readonly gateway: Address | null;
  readonly timings: PairTimings;
  /** The operator's word about the record at this epoch (PairConfig); null: nobody said so. */
  readonly restartEpoch: Epoch | null;
  /** How long a runner that is told to leave waits for somebody to hand over to, in milliseconds. */
  readonly leaveWaitMs: number;
}

/** The runner cannot start, because somebody else listens where it should. */
export class AddressInUseError extends Error {
  override readonly name = "AddressInUseError";
}

export interface RunningRunner {
  readonly nonce: Nonce;
  /** Leave, if possible without a gap (SIGTERM). */
  terminate(): void;
  /** Resolves with the exit code when the runner has ended. */
  readonly ended: Promise<number>;
}

/** The exit code that tells `lockstep up`, or Kubernetes, why a runner ended. */
const exitCodeOf: Readonly<Record<ExitReason, number>> = {
  stopped: exitCodes.ok,
  "left alone": exitCodes.leftAlone,
  superseded: exitCodes.superseded,
  "no record": exitCodes.noRecord,
  diverged: exitCodes.divergence,
  trapped: exitCodes.trapped,
  refused: exitCodes.refused,
};

/** @throws AddressInUseError, KeyFileError, InClusterError, GuestError, MachineSpecError, BootError */
export async function startRunner(options: RunnerOptions): Promise<RunningRunner> {
  const key = readKeyFile(options.keyFile);
  const { vm, guest: name, memoryMiB, restartEpoch } = options;
  const access = openRecord(options.record, { vm, key, port: options.listen.port });
  const { nonce } = access;
  const logger = createLogger(`runner ${nonce}`);
  const machine = await resolveMachine(name, memoryMiB);
  const firstLife = async () => {
    const { origin } = await resolveFirstLife(machine, (text) => logger.info(text));
    return origin;
  };
  // Whoever may be the first to run this VM makes sure beforehand that it can; whoever joins a
  // pair that lives needs no boot, and its redundancy should not wait for one.
  const found = await access.record.read();
  const epoch = found.kind === "read" ? (found.record?.epoch ?? 0) : 0;
  if (epoch === 0 || epoch === restartEpoch) await firstLife();
  const ending = new Ending(logger);
  const runner = await assemble({ options, key, logger, machine, access, firstLife, ending });
  runner.start();
  logger.info({ vm, name: options.name, guest: name }, "runner started");
  return { nonce, terminate: () => runner.feed({ kind: "terminate" }), ended: ending.ended };
}

interface Ingredients {
  readonly options: RunnerOptions;
  readonly key: Uint8Array;
  readonly logger: Logger;
  readonly machine: ResolvedMachine;
  readonly access: RecordAccess;
  readonly firstLife: () => Promise<MachineOrigin>;
  readonly ending: Ending;
}

/** Wires core, sockets and machine; everything listens when it resolves. */
async function assemble(ingredients: Ingredients): Promise<Runner> {
  const { options, key, logger, machine, access, firstLife, ending } = ingredients;
  const { vm, listen, gateway: address, timings, restartEpoch, leaveWaitMs } = options;
  const { nonce, record, peers, dialFrom } = access;
  const state = (): PairState => runner.state;
  const feed = (input: PairInput): void => runner.feed(input);
  const network = new NetworkService({
    nonce,
    onIngress: (input) => feed({ kind: "guestInput", input }),
    onReport: (report) => logger.info(report, `gateway: ${report.kind}`),
  });
  const counters = () => network.counters;
  const meter = new RunnerMeter(state, counters);
  const turn = new WriteTurn();
  const onBadPeer = (problem: string) => {
    meter.onBadPeer();
    logger.warn({ problem }, "connection dropped");
  };
  const consoleService = new ConsoleService({
    onInput: (input) => feed({ kind: "guestInput", input }),
  });
  const endpoint = new Endpoint({
    ...{ vm, key, listen, dialFrom, timeoutMs: timings.failureTimeoutMs, turn, onBadPeer },
    onPeer: (peer, host) => peers.heard(peer, host),
    ...channelEvents(feed, meter, logger),
    onConsole: (socket) => serveReader(socket, consoleService, onBadPeer),
  });
  await serving(listen, endpoint.listen());
  const heartbeats = await serving(
    listen,
    startHeartbeats({
      ...{ vm, nonce, key, listen, intervalMs: timings.heartbeatIntervalMs },
      onHeartbeat: (heard, host) => {
        peers.heard(heard, host);
        feed({ kind: "heartbeat", nonce: heard });
      },
      onFailure: (error) => ending.fail(error),
    }),
  );
  const onProblem = (problem: string) => logger.warn({ problem }, "no gateway");
  const gateway =
    address === null
      ? null
      : new GatewayLink({ ...{ vm, key, turn, onProblem }, gateway: address, service: network });
  const { images, compiled, fingerprint } = machine;
  const runner = new Runner({
    config: {
      ...{ vm, nonce, fingerprint: fingerprint.parts, restartEpoch, leaveWaitMs },
      ...{ bounds: pairBounds, timings },
    },
    ...{ record, peers, logger, endpoint, heartbeats, meter, firstLife, console: consoleService },
    ...{ network, gateway, turn },
    startVmThread: (origin, onEvents) => startVmThread({ images, compiled, origin, onEvents }),
    onExit: (reason, message) => ending.end(reason, message),
    onFailure: (error) => ending.fail(error),
  });
  const onPowerOff = () => feed({ kind: "powerOff" });
  const onRedial = gateway === null ? null : () => gateway.redial();
  const told = { state, onPowerOff, onRedial, network: counters, meter };
  const servers = await serveRequests(options, key, logger, told);
  ending.close = async () => {
    endpoint.close();
    consoleService.close();
    gateway?.close();
    record.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.all([runner.stop(), heartbeats.stop()]);
  };
  return runner;
}

interface Told extends PowerSwitch {
  readonly onRedial: (() => void) | null;
  readonly network: () => NetworkCounters;
  readonly meter: RunnerMeter;
}

/** What is asked over HTTP, and the orders: on a port of their own where there is one. */
async function serveRequests(
  { vm, name, http, control }: RunnerOptions,
  key: Uint8Array,
  logger: Logger,
  { state, onPowerOff, onRedial, network, meter }: Told,
): Promise<readonly (Server | TlsServer)[]> {
  const told = { listen: http, name, state, meter, network };
  if (control === null) {
    return [await serving(http, startRunnerHttp({ ...told, onPowerOff }))];
  }
  const orders = startControl({
    ...{ listen: control, vm, key, state, onPowerOff, onRedial, logger },
  });
  const reading = startRunnerHttp({ ...told, onPowerOff: null });
  return [await serving(http, reading), await serving(control, orders)];
}

function channelEvents(feed: (input: PairInput) => void, meter: RunnerMeter, logger: Logger) {
  return {
    onMessage: (link: Link, message: ChannelMessage) => {
      meter.onReceived(message);
      feed({ kind: "message", link, message });
    },
    onClosed: (link: Link) => feed({ kind: "linkClosed", link }),
    onDialled: (link: Link) => feed({ kind: "dialled", link }),
    onDialFailed: (refused: boolean, problem: string) => {
      logger.debug({ problem }, "dial failed");
      feed({ kind: "dialFailed", refused });
    },
    onWrongKey: (message: string) => feed({ kind: "wrongKey", message }),
    onChunkSent: (id: number, bytes: number) => {
      meter.onChunkSent(bytes);
      feed({ kind: "chunkSent", id });
    },
  };
}

/** How the runner's life ends: once, with a reason, after everything is closed. */
class Ending {
  readonly ended: Promise<number>;
  close: () => Promise<void> = async () => {};
  readonly #logger: Logger;
  #resolve: (code: number) => void = () => {};

  constructor(logger: Logger) {
    this.#logger = logger;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  end(reason: ExitReason, message: string): void {
    this.#logger.info({ reason, message }, "runner ends");
    void this.close().then(() => this.#resolve(exitCodeOf[reason]));
  }

  fail(error: Error): void {
    this.#logger.error({ error: error.message }, "runner failed");
    this.#resolve(exitCodes.failure);
  }
}

async function serving<T>({ host, port }: Address, starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EADDRINUSE") throw error;
    throw new AddressInUseError(
      `another process listens on ${host}:${port}; choose another address or end that process`,
    );
  }
}
