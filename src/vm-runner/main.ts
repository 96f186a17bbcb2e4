/**
 * One half of a pair: builds the shell around the core and runs it until the record or the user
 * ends it. Whatever ends the runner is mapped to a documented exit code.
 */
import { randomBytes } from "node:crypto";
import { exitCodes } from "../platform/exit-codes.ts";
import { readKeyFile } from "../platform/key-file.ts";
import { createLogger, type Logger } from "../platform/logging.ts";
import { WriteTurn } from "../platform/write-turn.ts";
import type { Nonce } from "../shared/protocol/record.ts";
import { ArbiterClient } from "../storage-arbiter/record/arbiter-client.ts";
import { ConsoleService } from "./console/console-service.ts";
import { pairBounds } from "./failover/pair-bounds.ts";
import { pairTimings } from "./failover/pair-timings.ts";
import type { ExitReason, Link, PairInput, PairState } from "./failover/pair-types.ts";
import { type ResolvedMachine, resolveFirstLife, resolveMachine } from "./host/guest.ts";
import type { GuestChoice } from "./host/guest-files.ts";
import { Runner } from "./host/runner.ts";
import { startRunnerHttp } from "./host/runner-http.ts";
import { RunnerMeter } from "./host/runner-meter.ts";
import { type MachineOrigin, startVmThread } from "./host/vm-thread.ts";
import type { ChannelMessage } from "./logging-channel/messages.ts";
import { NetworkService } from "./network/network-service.ts";
import { serveReader } from "./wire/console-reader.ts";
import { type Address, Endpoint } from "./wire/endpoint.ts";
import { GatewayLink } from "./wire/gateway-link.ts";
import { startHeartbeats } from "./wire/heartbeats.ts";

export interface RunnerOptions {
  readonly vm: string;
  readonly name: string;
  readonly guest: GuestChoice;
  readonly memoryMiB: number;
  readonly listen: Address;
  readonly peer: Address;
  readonly arbiter: Address;
  readonly keyFile: string;
  readonly http: Address;
  /** Null: the guest has no network. */
  readonly gateway: Address | null;
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
  superseded: exitCodes.superseded,
  "no record": exitCodes.noRecord,
  diverged: exitCodes.divergence,
  trapped: exitCodes.trapped,
  refused: exitCodes.refused,
};

/** @throws AddressInUseError, KeyFileError, GuestError, MachineSpecError, BootError */
export async function startRunner(options: RunnerOptions): Promise<RunningRunner> {
  const key = readKeyFile(options.keyFile);
  // A nonce names a process, not a place: whoever starts again is somebody else.
  const nonce = randomBytes(8).toString("hex");
  const logger = createLogger(`runner ${nonce}`);
  const { guest, memoryMiB } = options;
  const machine = await resolveMachine(guest, memoryMiB);
  const arbiter = new ArbiterClient({ ...options.arbiter, vm: options.vm, key });
  const firstLife = async () => {
    const { origin } = await resolveFirstLife(machine, (text) => logger.info(text));
    return origin;
  };
  // Whoever may be the first to run this VM makes sure beforehand that it can; whoever joins a
  // pair that lives needs no boot, and its redundancy should not wait for one.
  const found = await arbiter.read();
  const joins = found.kind === "read" && found.record !== null && found.record.epoch > 0;
  if (!joins) await firstLife();
  const ending = new Ending(logger);
  const given = { options, key, nonce, logger, machine, arbiter, firstLife, ending };
  const runner = await assemble(given);
  runner.start();
  logger.info({ vm: options.vm, name: options.name, guest }, "runner started");
  return { nonce, terminate: () => runner.feed({ kind: "terminate" }), ended: ending.ended };
}

interface Ingredients {
  readonly options: RunnerOptions;
  readonly key: Uint8Array;
  readonly nonce: Nonce;
  readonly logger: Logger;
  readonly machine: ResolvedMachine;
  readonly arbiter: ArbiterClient;
  readonly firstLife: () => Promise<MachineOrigin>;
  readonly ending: Ending;
}

/** Wires core, sockets and machine; everything listens when it resolves. */
async function assemble(ingredients: Ingredients): Promise<Runner> {
  const { options, key, nonce, logger, machine, arbiter, firstLife, ending } = ingredients;
  const { vm, listen, peer, name, http, gateway: address } = options;
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
    ...{ vm, key, listen, peer, turn, onBadPeer },
    ...channelEvents(feed, meter, logger),
    onConsole: (socket) => serveReader(socket, consoleService, onBadPeer),
  });
  await serving(listen, endpoint.listen());
  const heartbeats = await serving(
    listen,
    startHeartbeats({
      ...{ vm, nonce, key, listen, peer },
      onHeartbeat: (heard) => feed({ kind: "heartbeat", nonce: heard }),
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
      ...{ vm, nonce, fingerprint: fingerprint.parts, restartEpoch: null },
      ...{ bounds: pairBounds, timings: pairTimings },
    },
    ...{ arbiter, logger, endpoint, heartbeats, meter, firstLife, console: consoleService },
    ...{ network, gateway, turn },
    startVmThread: (origin, onEvents) => startVmThread({ images, compiled, origin, onEvents }),
    onExit: (reason, message) => ending.end(reason, message),
    onFailure: (error) => ending.fail(error),
  });
  const onPowerOff = () => feed({ kind: "powerOff" });
  const server = await serving(
    http,
    startRunnerHttp({ listen: http, name, state, meter, network: counters, onPowerOff }),
  );
  ending.close = async () => {
    endpoint.close();
    consoleService.close();
    gateway?.close();
    server.close();
    server.closeAllConnections();
    await Promise.all([runner.stop(), heartbeats.stop()]);
  };
  return runner;
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
