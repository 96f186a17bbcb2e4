/**
 * The guest's network, for the gateway (shared/protocol/gateway.ts). Every runner keeps the guest's
 * last frames; only the runner in which the guest lives attaches, sends what the gateway has not got
 * and hands on what comes for the guest. The connection is held by somebody else: a socket in a
 * runner, a simulated one in the simulator.
 */
import { bytesIn } from "../../shared/bytes.ts";
import { egressQueueBytesMax } from "../../shared/limits.ts";
import {
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayMessage,
  type GatewayToRunner,
  type RunnerToGateway,
} from "../../shared/protocol/gateway.ts";
import type { Epoch, Nonce } from "../../shared/protocol/record.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { IngressInput } from "../replay/log-entry.ts";
import { EgressHistory, type EgressRun } from "./egress-history.ts";
import { egressMessages } from "./egress-messages.ts";
import { IngressWindow } from "./ingress-window.ts";

/** The way to the gateway: messages in order, until one side ends it. */
export interface GatewayConnection {
  /** Bytes that wait for the gateway to read. */
  readonly queuedBytes: number;
  send(message: Uint8Array): void;
  /** Ends the connection after what was sent. */
  end(): void;
}

export interface NetworkServiceOptions {
  readonly nonce: Nonce;
  /** Frames for the guest, in order. */
  readonly onIngress: (input: IngressInput) => void;
  /** What happened to the attachment, for the log. */
  readonly onReport: (report: NetworkReport) => void;
}

export type NetworkReport =
  | { readonly kind: "attached"; readonly gateway: number; readonly resentFrames: number }
  | { readonly kind: "refused"; readonly reason: string; readonly epoch: Epoch };

export interface NetworkCounters {
  readonly attached: boolean;
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  /** Frames for the guest beyond those that may wait to be accepted. */
  readonly ingressDropped: number;
  /** Sent to a gateway, those sent again among them. */
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** The guest's frames that would have waited behind too many others for the gateway to read. */
  readonly egressDropped: number;
}

/** The gateway said something that none says: the connection is of no use any more. */
export class GatewayProtocolError extends Error {
  override readonly name = "GatewayProtocolError";
}

/** The guest lives here. */
interface Life {
  readonly epoch: Epoch;
  /** The epoch in which it was booted. */
  readonly began: Epoch;
  /** Told to the first gateway that lets this life in. */
  readonly announcement: Uint8Array | null;
}

/** The gateway lets this runner in; this is the gateway that it is attached to. */
interface Attachment {
  readonly gateway: number;
  readonly window: IngressWindow;
}

type Accepted = Extract<RunnerOutput, { kind: "ingressAccepted" }>;

export class NetworkService {
  readonly #options: NetworkServiceOptions;
  readonly #history = new EgressHistory();
  readonly #counters = {
    ingressFrames: 0,
    ingressBytes: 0,
    ingressDropped: 0,
    egressFrames: 0,
    egressBytes: 0,
    egressDropped: 0,
  };
  #connection: GatewayConnection | null = null;
  #life: Life | null = null;
  /** The epoch in which this connection was asked to let the runner in; null: it was not asked. */
  #asked: Epoch | null = null;
  #attachment: Attachment | null = null;
  #accepted: Accepted | null = null;
  /** What the last gateway said that did not let this life in. */
  #refused: Extract<GatewayToRunner, { kind: "closed" }> | null = null;

  constructor(options: NetworkServiceOptions) {
    this.#options = options;
  }

  get counters(): NetworkCounters {
    return { attached: this.#attachment !== null, ...this.#counters };
  }

  /** The guest waits for a gateway that may let it in, or is attached: a connection is urgent. */
  get isLive(): boolean {
    return this.#life !== null && this.#refused === null;
  }

  /** Produced by a backup: kept, not sent. */
  remember(output: RunnerOutput): void {
    if (output.kind === "egress") this.#history.remember(output);
  }

  /** May be seen outside. */
  release(output: RunnerOutput): void {
    switch (output.kind) {
      case "egress": {
        const { first, frames } = output;
        const fresh = this.#history.remember(output);
        this.#history.show(first + frames.length);
        if (fresh !== null && this.#attachment !== null) this.#sendFrames([fresh]);
        return;
      }
      case "ingressAccepted":
        this.#accepted = output;
        this.#tellAccepted();
        return;
      case "console":
      case "accepted":
        return;
    }
  }

  /**
   * The guest runs here: attach, and announce it once attached. All that was executed as a backup
   * is in the acknowledged log, so it may be seen. Who is live already only tells its epoch. `life`: the
   * epoch in which the guest was booted.
   */
  goLive(epoch: Epoch, life: Epoch, announcement: Uint8Array | null): void {
    this.#history.showAll();
    if (this.#life !== null) {
      this.setEpoch(epoch);
      return;
    }
    this.#life = { epoch, began: life, announcement };
    this.#refused = null;
    this.#attach();
  }

  /** The record has a later epoch with the same primary. */
  setEpoch(epoch: Epoch): void {
    if (this.#life === null || epoch <= this.#life.epoch) return;
    this.#life = { ...this.#life, epoch };
    this.#refused = null;
    if (this.#asked === null) return;
    this.#asked = epoch;
    this.#send({ kind: "renew", epoch });
  }

  /** The guest runs here no more. */
  resign(): void {
    this.#life = null;
    this.#refused = null;
    if (this.#asked !== null) this.#leave();
  }

  /** There is a connection to the gateway; the one before is gone. */
  connected(connection: GatewayConnection): void {
    this.disconnected();
    this.#connection = connection;
    this.#attach();
  }

  /** A whole message. Whoever holds the connection hangs up when this throws.
   * @throws BytesError, GatewayProtocolError */
  receive(message: Uint8Array): void {
    // After the end of an attachment, what was still on its way is of no interest.
    if (this.#connection === null) return;
    this.#onMessage(decodeGatewayMessage(message));
  }

  /** The connection is closed, whoever closed it. */
  disconnected(): void {
    this.#connection = null;
    this.#asked = null;
    this.#attachment = null;
  }

  #onMessage(message: GatewayMessage): void {
    switch (message.kind) {
      case "attached":
        this.#onAttached(message);
        return;
      case "ingress":
        this.#onIngress(message);
        return;
      case "closed":
        this.#onClosed(message);
        return;
      case "pong":
        return;
      case "attach":
      case "renew":
      case "egress":
      case "ingressAccepted":
      case "announce":
      case "ping":
        throw new GatewayProtocolError(`a gateway sent "${message.kind}", which runners send`);
    }
  }

  #onAttached({ gateway, egressNext }: Extract<GatewayToRunner, { kind: "attached" }>): void {
    if (this.#asked === null || this.#life === null) {
      throw new GatewayProtocolError("a gateway let in a runner that had not asked");
    }
    if (this.#attachment !== null) throw new GatewayProtocolError("a gateway attached twice");
    this.#attachment = { gateway, window: new IngressWindow() };
    this.#refused = null;
    const { announcement } = this.#life;
    if (announcement !== null) this.#send({ kind: "announce", frame: announcement });
    this.#life = { ...this.#life, announcement: null };
    const missed = egressNext === null ? [] : this.#history.from(egressNext);
    this.#sendFrames(missed);
    this.#tellAccepted();
    const resentFrames = missed.reduce((sum, { frames }) => sum + frames.length, 0);
    this.#options.onReport({ kind: "attached", gateway, resentFrames });
  }

  #onIngress({ first, frames }: Extract<GatewayToRunner, { kind: "ingress" }>): void {
    if (this.#attachment === null) {
      throw new GatewayProtocolError("a gateway sent frames to a runner that is not attached");
    }
    const { gateway, window } = this.#attachment;
    if (first < window.next) {
      throw new GatewayProtocolError(`frame ${first} came after frame ${window.next - 1}`);
    }
    const taken = frames.slice(0, window.take(first, frames));
    this.#counters.ingressFrames += taken.length;
    this.#counters.ingressBytes += bytesIn(taken);
    this.#counters.ingressDropped += frames.length - taken.length;
    if (taken.length === 0) return;
    this.#options.onIngress({ kind: "ingress", gateway, first, frames: taken });
  }

  /** Said once, however often the same is tried again. */
  #onClosed(message: Extract<GatewayToRunner, { kind: "closed" }>): void {
    const { reason, epoch } = message;
    const before = this.#refused;
    this.#leave();
    this.#refused = message;
    if (before?.reason === reason && before.epoch === epoch) return;
    this.#options.onReport({ kind: "refused", reason, epoch });
  }

  #attach(): void {
    if (this.#life === null || this.#connection === null || this.#asked !== null) return;
    const { epoch, began } = this.#life;
    this.#asked = epoch;
    this.#send({ kind: "attach", nonce: this.#options.nonce, epoch, life: began });
  }

  #leave(): void {
    this.#connection?.end();
    this.disconnected();
  }

  /** The gateway is told what it may forget, if it is the one that numbered those frames. */
  #tellAccepted(): void {
    const accepted = this.#accepted;
    if (accepted === null || this.#attachment?.gateway !== accepted.gateway) return;
    this.#attachment.window.accept(accepted.next);
    this.#send(accepted);
  }

  #sendFrames(runs: readonly EgressRun[]): void {
    for (const { first, frames } of egressMessages(runs)) {
      const queued = this.#connection?.queuedBytes ?? 0;
      if (queued > egressQueueBytesMax) {
        this.#counters.egressDropped += frames.length;
        continue;
      }
      this.#send({ kind: "egress", first, frames });
      this.#counters.egressFrames += frames.length;
      this.#counters.egressBytes += bytesIn(frames);
    }
  }

  #send(message: RunnerToGateway): void {
    this.#connection?.send(encodeGatewayMessage(message));
  }
}
