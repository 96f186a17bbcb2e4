/**
 * A runner's connection to the gateway: what `src/vm-runner/host` does with a socket, over simulated
 * streams. It is there from the beginning, in a backup too, and is made again whenever it is gone.
 */
import { BytesError } from "../../../src/shared/bytes.ts";
import { FrameReader, FramingError, frame } from "../../../src/shared/framing.ts";
import { gatewayMessageBytesMax } from "../../../src/shared/limits.ts";
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

/** From the end of a connection to the next try. */
const redialMs = 50;
/** How often the gateway is asked whether it is there. */
const pingMs = 500;

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

  #dial(): void {
    if (!this.#alive) return;
    const failed = () => this.#parts.inProcess(() => this.#redialLater());
    this.#parts.dial((end) => {
      if (!this.#alive) {
        end.kill(false);
        return;
      }
      this.#listen(end);
      this.#parts.inProcess(() => this.#open(end));
    }, failed);
  }

  #redialLater(): void {
    this.#parts.agenda.after(redialMs, () => this.#parts.inProcess(() => this.#dial()));
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
    this.#pingLater(end);
  }

  #take(end: StreamEnd, reader: FrameReader, bytes: Uint8Array): void {
    try {
      for (const message of reader.push(bytes)) {
        if (this.#end !== end) return;
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
    this.#redialLater();
  }

  /** A gateway whose computer is gone closes nothing: what is sent there shows it. */
  #pingLater(end: StreamEnd): void {
    this.#parts.agenda.after(pingMs, () => {
      if (!this.#alive || this.#end !== end) return;
      this.#parts.inProcess(() => {
        if (this.#end === end) end.send(frame(encodeGatewayMessage({ kind: "ping" })));
      });
      this.#pingLater(end);
    });
  }
}

function isPeersFault(error: unknown): boolean {
  return (
    error instanceof BytesError ||
    error instanceof FramingError ||
    error instanceof GatewayProtocolError
  );
}
