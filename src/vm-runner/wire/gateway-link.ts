/**
 * The runner's connection to the gateway, held for the network's service. Every runner has one from
 * its start and dials again for ever, so that a failover costs one message and no handshake.
 */
import tls from "node:tls";
import { Connection } from "../../platform/connection.ts";
import { isWrongKey, pskClientOptions } from "../../platform/psk.ts";
import type { WriteTurn } from "../../platform/write-turn.ts";
import {
  failureTimeoutMs,
  gatewayMessageBytesMax,
  gatewayPingMs,
  gatewayPingsMax,
  gatewayRedialMs,
  gatewayStandbyRedialMs,
} from "../../shared/limits.ts";
import { encodeGatewayMessage } from "../../shared/protocol/gateway.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { Address } from "./endpoint.ts";

export interface GatewayLinkOptions {
  readonly vm: string;
  readonly key: Uint8Array;
  readonly gateway: Address;
  readonly service: NetworkService;
  readonly turn: WriteTurn;
  /** Why there is no connection; said once, however often the same is found again. */
  readonly onProblem: (problem: string) => void;
}

const ping = encodeGatewayMessage({ kind: "ping" });

export class GatewayLink {
  readonly #options: GatewayLinkOptions;
  readonly #pinging: NodeJS.Timeout;
  #connection: Connection | null = null;
  /** Ends the dial or the connection that there is. */
  #hangUp: () => void = () => {};
  #redial: NodeJS.Timeout | null = null;
  /** Asked since the gateway last said anything. */
  #pings = 0;
  #problem = "";
  #isClosed = false;

  constructor(options: GatewayLinkOptions) {
    this.#options = options;
    this.#pinging = setInterval(() => this.#ping(), gatewayPingMs);
    this.#dial();
  }

  /** The guest lives here now: a dial that would be due later is made at once. */
  hurry(): void {
    if (this.#redial === null) return;
    clearTimeout(this.#redial);
    this.#dial();
  }

  /** Another gateway serves now, though the one that is connected may live on: it is looked for anew. */
  redial(): void {
    if (this.#redial === null) this.#hangUp();
    else this.hurry();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#pinging);
    if (this.#redial !== null) clearTimeout(this.#redial);
    this.#hangUp();
  }

  #dial(): void {
    this.#redial = null;
    const { vm, key, gateway } = this.#options;
    const socket = tls.connect({ ...pskClientOptions(vm, key), ...gateway });
    let problem: (Error & { code?: string }) | null = null;
    const onError = (error: Error) => {
      problem = error;
    };
    const onClose = () => this.#failed(problem);
    this.#hangUp = () => socket.destroy();
    socket.setTimeout(failureTimeoutMs, () => socket.destroy(new Error("it does not answer")));
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("secureConnect", () => {
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.setTimeout(0);
      this.#open(socket);
    });
  }

  #open(socket: tls.TLSSocket): void {
    const { service, turn } = this.#options;
    const events = {
      onMessage: (message: Uint8Array) => {
        // A connection that lasts: what is wrong with the next one is news.
        if (this.#pings > 0) this.#problem = "";
        this.#pings = 0;
        service.receive(message);
      },
      onClosed: (problem: string | null) => {
        this.#connection = null;
        service.disconnected();
        if (problem !== null) this.#tell(`the gateway broke the protocol: ${problem}`);
        this.#dialLater();
      },
    };
    this.#pings = 0;
    this.#connection = new Connection(socket, gatewayMessageBytesMax, events, turn);
    service.connected(this.#connection);
  }

  /** A gateway whose node is gone closes nothing; a standby wants to know it before a failover. */
  #ping(): void {
    if (this.#connection === null) return;
    if (this.#pings >= gatewayPingsMax) {
      this.#tell(`${this.#who()} says nothing any more`);
      this.#connection.hangUp();
      return;
    }
    this.#pings++;
    this.#connection.send(ping);
  }

  #failed(problem: (Error & { code?: string }) | null): void {
    if (problem !== null && isWrongKey(problem)) {
      this.#tell(`${this.#who()} has another key than ours for VM ${this.#options.vm}, or none`);
    } else {
      this.#tell(`no connection to ${this.#who()}: ${problem?.message ?? "it hung up"}`);
    }
    this.#dialLater();
  }

  #dialLater(): void {
    if (this.#isClosed) return;
    const pauseMs = this.#options.service.isLive ? gatewayRedialMs : gatewayStandbyRedialMs;
    this.#redial = setTimeout(() => this.#dial(), pauseMs);
  }

  #who(): string {
    const { host, port } = this.#options.gateway;
    return `the gateway at ${host}:${port}`;
  }

  #tell(problem: string): void {
    if (this.#isClosed || problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}
