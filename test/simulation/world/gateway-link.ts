/**
 * A runner's connection to the gateway: what `src/vm-runner/wire/gateway-link.ts` does with a socket,
 * over simulated streams. It is there from the beginning, in a backup too, and is made again
 * whenever it is gone.
 */
import { BytesError } from "../../../src/shared/bytes.ts";
import { FrameReader, FramingError, frame } from "../../../src/shared/framing.ts";
import {
  gatewayMessageBytesMax,
  gatewayPingMs,
  gatewayPingsMax,
  gatewayRedialMs,
  gatewayStandbyRedialMs,
} from "../../../src/shared/limits.ts";
import {
  decodeGatewayMessage,
  encodeGatewayMessage,
} from "../../../src/shared/protocol/gateway.ts";
import type { Epoch } from "../../../src/shared/protocol/record.ts";
import {
  GatewayProtocolError,
  type NetworkService,
} from "../../../src/vm-runner/network/network-service.ts";
import type { Agenda } from "./clock.ts";
import type { Random } from "./random.ts";
import type { StreamEnd } from "./stream.ts";

const ping = frame(encodeGatewayMessage({ kind: "ping" }));

export interface GatewayLinkParts {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly service: NetworkService;
  /** Runs it in the process: now, later, or never. */
  readonly inProcess: (run: () => void) => void;
  readonly dial: (opened: (end: StreamEnd) => void, failed: () => void) => void;
  /** The runner says that the guest lives in it, in this epoch. */
  readonly onClaim: (epoch: Epoch) => void;
}

export class GatewayLink {
  readonly #parts: GatewayLinkParts;
  #end: StreamEnd | null = null;
  /** Of the newest plan to dial; only that counts. */
  #redial = 0;
  #mustDial = false;
  /** Asked since the gateway last said anything. */
  #pings = 0;
  #alive = true;

  constructor(parts: GatewayLinkParts) {
    this.#parts = parts;
    this.#dial();
  }

  /** The process ended; `silent`: with its computer. */
  die(silent: boolean): void {
    this.#alive = false;
    if (silent) this.#end?.vanish();
    else this.#end?.kill(this.#parts.random() < 0.3);
  }

  /** The guest lives here now: a dial that would be due later is made at once. */
  hurry(): void {
    if (this.#mustDial) this.#dial();
  }

  #dial(): void {
    if (!this.#alive) return;
    this.#mustDial = false;
    const failed = () => this.#parts.inProcess(() => this.#dialLater());
    this.#parts.dial((end) => {
      if (!this.#alive) {
        end.kill(false);
        return;
      }
      this.#listen(end);
      this.#parts.inProcess(() => this.#open(end));
    }, failed);
  }

  #dialLater(): void {
    const { agenda, service, inProcess } = this.#parts;
    const number = ++this.#redial;
    this.#mustDial = true;
    agenda.after(service.isLive ? gatewayRedialMs : gatewayStandbyRedialMs, () => {
      inProcess(() => {
        if (number === this.#redial && this.#mustDial) this.#dial();
      });
    });
  }

  #listen(end: StreamEnd): void {
    const reader = new FrameReader(gatewayMessageBytesMax);
    end.handlers = {
      onData: (bytes) => {
        end.unreadBytes += bytes.length;
        this.#parts.inProcess(() => {
          end.unreadBytes -= bytes.length;
          if (this.#end === end) this.#take(end, reader, bytes);
        });
      },
      onClosed: () => this.#parts.inProcess(() => this.#closed(end)),
    };
  }

  #open(end: StreamEnd): void {
    const { service, onClaim } = this.#parts;
    this.#end = end;
    service.connected({
      get queuedBytes() {
        return end.queuedBytes;
      },
      send: (message) => {
        const decoded = decodeGatewayMessage(message);
        if (decoded.kind === "attach" || decoded.kind === "renew") onClaim(decoded.epoch);
        end.send(frame(message));
      },
      end: () => {
        end.end();
        this.#closed(end);
      },
    });
    this.#pings = 0;
    this.#pingLater(end);
  }

  #take(end: StreamEnd, reader: FrameReader, bytes: Uint8Array): void {
    try {
      for (const message of reader.push(bytes)) {
        if (this.#end !== end) return;
        this.#pings = 0;
        this.#parts.service.receive(message);
      }
    } catch (error) {
      if (!isPeersFault(error)) throw error;
      end.end();
      this.#closed(end);
    }
  }

  #closed(end: StreamEnd): void {
    if (this.#end !== end) return;
    this.#end = null;
    this.#parts.service.disconnected();
    this.#dialLater();
  }

  /** A gateway whose computer is gone closes nothing. */
  #pingLater(end: StreamEnd): void {
    this.#parts.agenda.after(gatewayPingMs, () => {
      if (!this.#alive || this.#end !== end) return;
      this.#parts.inProcess(() => this.#ping(end));
      this.#pingLater(end);
    });
  }

  #ping(end: StreamEnd): void {
    if (this.#end !== end) return;
    if (this.#pings >= gatewayPingsMax) {
      end.end();
      this.#closed(end);
      return;
    }
    this.#pings++;
    end.send(ping);
  }
}

function isPeersFault(error: unknown): boolean {
  return (
    error instanceof BytesError ||
    error instanceof FramingError ||
    error instanceof GatewayProtocolError
  );
}
