/**
 * The gateway as a process: builds the shell around the core. It holds the addresses that clients
 * use, so it outlives every failover; one VM has one gateway, and a gateway one gvproxy.
 */
import { randomBytes } from "node:crypto";
import type { Server } from "node:net";
import { performance } from "node:perf_hooks";
import { readKeyFile } from "../platform/key-file.ts";
import { createLogger, type Logger } from "../platform/logging.ts";
import { WriteTurn } from "../platform/write-turn.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { ArbiterClient } from "../storage-arbiter/record/arbiter-client.ts";
import { inClusterApi } from "../storage-arbiter/record/in-cluster.ts";
import { LeaseClient } from "../storage-arbiter/record/lease-client.ts";
import type { LeaseName } from "../storage-arbiter/record/lease-name.ts";
import type { RecordClient } from "../storage-arbiter/record/record-client.ts";
import { Gateway, type GatewayReport, type NetworkPort } from "./gateway.ts";
import { GatewayError } from "./gateway-error.ts";
import { isForbidden } from "./guest-frames.ts";
import { createGatewayHttp } from "./host/gateway-http.ts";
import { GatewayMeter } from "./host/gateway-meter.ts";
import { Gvproxy } from "./host/gvproxy.ts";
import { findGvproxy } from "./host/gvproxy-program.ts";
import { ReadinessProbe } from "./host/readiness-probe.ts";
import { createRunnerServer } from "./host/runner-server.ts";
import type { PublishedPort } from "./published-port.ts";

interface Address {
  readonly host: string;
  /** 0 where something listens: any free one. */
  readonly port: number;
}

export interface GatewayProcessOptions {
  readonly vm: string;
  /** For runners. */
  readonly listen: Address;
  /** Who keeps the record. */
  readonly record: RecordWay;
  readonly keyFile: string;
  readonly http: Address;
  readonly ports: readonly PublishedPort[];
  /** A port of the guest that tells whether it is ready; null: nobody asks. */
  readonly readyPort: number | null;
}

type RecordWay =
  | { readonly kind: "arbiter"; readonly arbiter: Address }
  | { readonly kind: "lease"; readonly lease: LeaseName };

export interface RunningGateway {
  readonly port: number;
  readonly httpPort: number;
  /** The number by which this process is known in the log. */
  readonly number: number;
  /** Closes everything; `ended` resolves with code 0. */
  stop(): Promise<void>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
}

const tickIntervalMs = 250;

/** @throws GatewayError, KeyFileError, InClusterError */
export async function startGateway(options: GatewayProcessOptions): Promise<RunningGateway> {
  const key = readKeyFile(options.keyFile);
  const logger = createLogger("gateway");
  const program = await findGvproxy((text) => logger.info(text));
  const shell = new GatewayShell(options, key, program, logger);
  return await shell.start();
}

class GatewayShell {
  readonly #options: GatewayProcessOptions;
  readonly #logger: Logger;
  readonly #record: RecordClient;
  readonly #meter = new GatewayMeter();
  readonly #turn = new WriteTurn();
  readonly #number = randomBytes(4).readUInt32LE();
  readonly #gateway: Gateway;
  readonly #gvproxy: Gvproxy;
  readonly #probe: ReadinessProbe | null;
  readonly #runners: Server;
  readonly #http: ReturnType<typeof createGatewayHttp>;
  readonly #ticks: NodeJS.Timeout;
  readonly #ended: Promise<number>;
  #resolveEnded: (code: number) => void = () => {};
  #ending = false;
  #refusal: GatewayError | null = null;

  constructor(options: GatewayProcessOptions, key: Uint8Array, program: string, logger: Logger) {
    const { vm, ports } = options;
    this.#options = options;
    this.#logger = logger;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#record = openRecord(options.record, vm, key);
    this.#gateway = new Gateway({
      vm,
      gateway: this.#number,
      readRecord: () => void this.#readRecord(),
      onReport: (report) => this.#onReport(report),
    });
    const gateway = this.#gateway;
    this.#gvproxy = new Gvproxy({
      ...{ program, ports, logger },
      onFrames: (frames) => this.#onFrames(frames),
      onNetwork: (network) => gateway.setNetwork(network === null ? null : this.#guarded(network)),
    });
    this.#probe = this.#startProbe();
    const parts = { gateway, gvproxy: this.#gvproxy, probe: this.#probe };
    this.#meter.read(parts);
    const onBadPeer = (problem: string) => {
      this.#meter.badPeers++;
      logger.warn({ problem }, "connection dropped");
    };
    this.#runners = createRunnerServer({ vm, key, gateway, turn: this.#turn, onBadPeer });
    this.#http = createGatewayHttp({
      ...{ ...parts, vm, ports, number: this.#number, meter: this.#meter },
    });
    this.#ticks = setInterval(() => gateway.tick(performance.now()), tickIntervalMs);
  }

  /** Everything that was asked for is served when it resolves. */
  async start(): Promise<RunningGateway> {
    try {
      await this.#gvproxy.start();
      const port = await listen(this.#runners, this.#options.listen);
      const httpPort = await listen(this.#http, this.#options.http);
      this.#logger.info({ vm: this.#options.vm, port, httpPort }, "gateway started");
      const ended = this.#ended;
      return { port, httpPort, number: this.#number, stop: () => this.#end(exitCodes.ok), ended };
    } catch (error) {
      await this.#end(exitCodes.failure);
      throw this.#refusal ?? error;
    }
  }

  async #end(code: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearInterval(this.#ticks);
    this.#probe?.stop();
    this.#runners.close();
    this.#http.close();
    this.#http.closeAllConnections();
    this.#record.close();
    await this.#gvproxy.stop();
    this.#logger.info({ code }, "gateway ends");
    this.#resolveEnded(code);
  }

  #onFrames(frames: readonly Uint8Array[]): void {
    const nowMs = performance.now();
    this.#turn.run(() => this.#gateway.onFrames(frames, nowMs));
  }

  /** What the guest sends passes here on its way out. */
  #guarded(network: NetworkPort): NetworkPort {
    return {
      get queuedBytes() {
        return network.queuedBytes;
      },
      send: (frame) => {
        if (isForbidden(frame)) {
          this.#meter.egressForbidden++;
          return;
        }
        this.#probe?.observe(frame);
        network.send(frame);
      },
    };
  }

  #startProbe(): ReadinessProbe | null {
    const { readyPort } = this.#options;
    if (readyPort === null) return null;
    return new ReadinessProbe({
      port: readyPort,
      socketPath: () => (this.#gateway.attached === null ? null : this.#gvproxy.socketPath),
      onChange: (ready) => {
        this.#logger.info({ port: readyPort }, ready ? "the guest is ready" : "the guest is not");
      },
    });
  }

  async #readRecord(): Promise<void> {
    const answer = await this.#record.read();
    if (answer.kind === "read") {
      this.#gateway.onRecord(answer.record);
      return;
    }
    this.#gateway.onRecordUnreadable();
    if (!answer.wrongKey) {
      this.#logger.debug({ problem: answer.message }, "the record cannot be read");
      return;
    }
    // Asked again, it would say the same.
    this.#refusal = new GatewayError("refused", answer.message);
    this.#logger.error({ problem: answer.message }, "gateway refused");
    await this.#end(exitCodes.refused);
  }

  #onReport(report: GatewayReport): void {
    const { kind, ...facts } = report;
    if (kind === "attached") this.#meter.attachments++;
    this.#logger.info(facts, wordsOf[kind]);
  }
}

/** A gateway only reads: it has no runner's address to write. */
function openRecord(way: RecordWay, vm: string, key: Uint8Array): RecordClient {
  if (way.kind === "arbiter") return new ArbiterClient({ ...way.arbiter, vm, key });
  return new LeaseClient({
    ...{ server: inClusterApi(process.env), lease: way.lease, vm },
    addressOf: () => null,
    onAddresses: () => {},
    now: () => new Date(),
  });
}

const wordsOf: Readonly<Record<GatewayReport["kind"], string>> = {
  record: "the record was read",
  attached: "a runner attached",
  closed: "a runner was closed out",
};

/** Gives the port. @throws GatewayError */
function listen(server: Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const inUse = error.code === "EADDRINUSE";
      const message = inUse
        ? `another process listens on ${host}:${port}; choose another address or end that process`
        : `cannot listen on ${host}:${port}: ${error.message}; choose another address`;
      reject(new GatewayError(inUse ? "address in use" : "bad configuration", message, error));
    };
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : port);
    });
  });
}
