/**
 * The gateway: the stable outside end of a VM's network. It takes frames from the runner of the
 * newest epoch alone, and gives it those for the guest; whatever that runner did not confirm is
 * given to the next one again. It has no clock and does no I/O: connections, the network behind it
 * and the record are held by somebody else (the shell in `host/`, or the simulator).
 */
import { assert } from "../shared/assert.ts";
import { isFrame } from "../shared/ethernet.ts";
import {
  egressQueueBytesMax,
  gatewayMessageBytesMax,
  gatewayRunnersMax,
  ingressInFlightBytesMax,
} from "../shared/limits.ts";
import {
  type CloseReason,
  decodeGatewayMessage,
  type RunnerToGateway,
} from "../shared/protocol/gateway.ts";
import type { Epoch, Nonce, VmRecord } from "../shared/protocol/record.ts";
import { IngressQueue } from "./ingress-queue.ts";
import { type Claim, judgeClaim, type NewestEpoch } from "./newest-epoch.ts";
import { Link } from "./runner-link.ts";

/** The way to one runner: messages in order, until one side ends it. */
export interface RunnerConnection {
  /** Bytes that wait for the runner to read. */
  readonly queuedBytes: number;
  send(message: Uint8Array): void;
  /** Ends the connection after what was sent. */
  end(): void;
}

/** The network behind the gateway. */
export interface NetworkPort {
  /** Bytes that wait for it to read. */
  readonly queuedBytes: number;
  send(frame: Uint8Array): void;
}

/** What the gateway knows a connection by. */
export interface RunnerLink {
  readonly connection: RunnerConnection;
}

export interface GatewayOptions {
  readonly vm: string;
  /** Made at random for each gateway process; 32 bits. */
  readonly gateway: number;
  /** Asks for the record; `onRecord` or `onRecordUnreadable` answers. */
  readonly readRecord: () => void;
  readonly onReport: (report: GatewayReport) => void;
}

export type GatewayReport =
  | { readonly kind: "record"; readonly epoch: Epoch; readonly primary: Nonce | null }
  | {
      readonly kind: "attached";
      readonly nonce: Nonce;
      readonly epoch: Epoch;
      readonly resentFrames: number;
    }
  | {
      readonly kind: "closed";
      readonly nonce: Nonce;
      readonly epoch: Epoch;
      readonly reason: string;
    };

export interface GatewayCounters {
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** By why: no runner took them in time, or more waited than the bound allows. */
  readonly ingressExpired: number;
  readonly ingressDropped: number;
  /** The network behind did not read them. */
  readonly egressDropped: number;
  /** From a runner that is not, or no more, the newest epoch's. */
  readonly egressFenced: number;
  /** The gateway had them already. */
  readonly egressRepeated: number;
  readonly malformed: number;
  readonly failovers: number;
}

/** A runner said something that none says: the connection is of no use any more. */
export class RunnerProtocolError extends Error {
  override readonly name = "RunnerProtocolError";
}

/** Of a frame in a message (its length), and of the message itself: at most. */
const frameOverheadBytes = 4;
const messageOverheadBytes = 64;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #links = new Set<Link>();
  readonly #ingress = new IngressQueue();
  readonly #counters = {
    ingressFrames: 0,
    ingressBytes: 0,
    egressFrames: 0,
    egressBytes: 0,
    ingressExpired: 0,
    ingressDropped: 0,
    egressDropped: 0,
    egressFenced: 0,
    egressRepeated: 0,
    malformed: 0,
    failovers: 0,
  };
  #network: NetworkPort | null = null;
  #newest: NewestEpoch | null = null;
  #reading = false;
  #attached: { readonly link: Link; readonly claim: Claim } | null = null;
  #lastAttached: Nonce | null = null;
  /** Number of the next frame for the guest that the attached runner was not sent. */
  #ingressUnsent = 0;
  /** In which the guest was that attached last; null: none has. */
  #life: Epoch | null = null;
  /** Number of the next frame of the guest; null: none of this life has come. */
  #egressNext: number | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#readRecord();
  }

  get counters(): GatewayCounters {
    return this.#counters;
  }

  /** The newest epoch known; null before the record was read. */
  get epoch(): Epoch | null {
    return this.#newest?.epoch ?? null;
  }

  /** The runner whose frames count; null: nobody is attached. */
  get attached(): { readonly nonce: Nonce; readonly epoch: Epoch } | null {
    if (this.#attached === null) return null;
    const { nonce, epoch } = this.#attached.claim;
    return { nonce, epoch };
  }

  /** Frames for the guest that no runner has confirmed. */
  get inFlight(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.#ingress.next - this.#ingress.first, bytes: this.#ingress.bytes };
  }

  /** The network behind is there; null: it is gone. */
  setNetwork(network: NetworkPort | null): void {
    this.#network = network;
  }

  /** A runner's connection, before its first message. */
  accept(connection: RunnerConnection): RunnerLink {
    const link = new Link(connection);
    const open = [...this.#links].filter(({ standing }) => standing.kind !== "closed");
    this.#links.add(link);
    if (open.length >= gatewayRunnersMax) this.#close(link, "too many runners");
    return link;
  }

  /** A whole message of a runner. Whoever holds the connection hangs up when this throws.
   * @throws BytesError, RunnerProtocolError */
  receive(link: RunnerLink, message: Uint8Array): void {
    const known = this.#known(link);
    const decoded = decodeGatewayMessage(message);
    switch (decoded.kind) {
      case "attach":
        this.#onAttach(known, decoded);
        return;
      case "renew":
        this.#onRenew(known, decoded.epoch);
        return;
      case "ping":
        if (known.standing.kind !== "closed") known.send({ kind: "pong" });
        return;
      case "egress":
      case "ingressAccepted":
      case "announce":
        this.#onTraffic(known, decoded);
        return;
      case "attached":
      case "ingress":
      case "pong":
      case "closed":
        throw new RunnerProtocolError(`a runner sent "${decoded.kind}", which gateways send`);
    }
  }

  /** The runner's connection is closed, whoever closed it. */
  leave(link: RunnerLink): void {
    const known = this.#known(link);
    this.#links.delete(known);
    if (this.#attached?.link === known) this.#attached = null;
  }

  /** Null: there is no record of this VM. */
  onRecord(record: VmRecord | null): void {
    this.#reading = false;
    // A record that is missing says nothing; it is asked for again, and nobody is let in. One that is
    // known is renewed by the runners alone: a reading may be older than what they have told.
    if (record === null || this.#newest !== null) return;
    assert(record.vm === this.#options.vm, `the record is of VM ${record.vm}`);
    this.#newest = { epoch: record.epoch, primary: record.primary };
    this.#options.onReport({ kind: "record", ...this.#newest });
    for (const link of [...this.#links]) {
      if (link.standing.kind === "waiting") this.#judge(link, link.standing.claim);
    }
  }

  onRecordUnreadable(): void {
    this.#reading = false;
  }

  /** Frames from the network, for the guest; those that came together go on in one message. */
  onFrames(frames: readonly Uint8Array[], nowMs: number): void {
    for (const frame of frames) this.#keep(frame, nowMs);
    this.#sendIngress();
  }

  /** Every so often: asks again for the record, forgets frames that are too old. */
  tick(nowMs: number): void {
    if (this.#newest === null) this.#readRecord();
    this.#counters.ingressExpired += this.#ingress.forgetOld(nowMs);
    this.#sendIngress();
  }

  #keep(frame: Uint8Array, nowMs: number): void {
    if (!isFrame(frame)) {
      this.#counters.malformed++;
      return;
    }
    if (!this.#ingress.add(frame, nowMs)) {
      this.#counters.ingressDropped++;
      return;
    }
    this.#counters.ingressFrames++;
    this.#counters.ingressBytes += frame.length;
  }

  #readRecord(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#options.readRecord();
  }

  #known(link: RunnerLink): Link {
    assert(link instanceof Link && this.#links.has(link), "this link was never accepted, or left");
    return link;
  }

  #onAttach(link: Link, { nonce, epoch, life }: Claim): void {
    if (link.standing.kind === "closed") return;
    if (link.standing.kind !== "new") throw new RunnerProtocolError("a runner attached twice");
    if (life > epoch) throw new RunnerProtocolError(`life ${life} began after epoch ${epoch}`);
    this.#judge(link, { nonce, epoch, life });
  }

  #judge(link: Link, claim: Claim): void {
    if (this.#newest === null) {
      link.standing = { kind: "waiting", claim };
      this.#readRecord();
      return;
    }
    const judgement = judgeClaim(this.#newest, claim);
    if (judgement.kind === "refused") {
      this.#close(link, judgement.reason, claim);
      return;
    }
    this.#newest = judgement.newest;
    const before = this.#attached;
    this.#attached = { link, claim };
    link.standing = { kind: "attached", claim };
    if (before !== null) this.#close(before.link, "superseded", before.claim);
    this.#welcome(link, claim);
  }

  #welcome(link: Link, claim: Claim): void {
    if (this.#lastAttached !== null && this.#lastAttached !== claim.nonce) {
      this.#counters.failovers++;
    }
    this.#lastAttached = claim.nonce;
    // A guest that was booted anew numbers its frames anew. One of an earlier life does not get here: all
    // epochs of a life come before those of the next.
    if (this.#life !== claim.life) this.#egressNext = null;
    this.#life = claim.life;
    const { gateway } = this.#options;
    link.send({ kind: "attached", gateway, egressNext: this.#egressNext });
    this.#ingressUnsent = this.#ingress.first;
    this.#options.onReport({ kind: "attached", ...claim, resentFrames: this.inFlight.frames });
    this.#sendIngress();
  }

  #onRenew(link: Link, epoch: Epoch): void {
    const { standing } = link;
    switch (standing.kind) {
      case "closed":
        return;
      case "new":
        throw new RunnerProtocolError("a runner renewed an epoch before it attached");
      case "waiting":
      case "attached":
        break;
    }
    if (epoch < standing.claim.epoch) {
      throw new RunnerProtocolError(`epoch ${standing.claim.epoch} was renewed to ${epoch}`);
    }
    const claim = { ...standing.claim, epoch };
    link.standing = { kind: standing.kind, claim };
    if (standing.kind === "waiting") return;
    this.#attached = { link, claim };
    this.#newest = { epoch, primary: claim.nonce };
  }

  #onTraffic(
    link: Link,
    message: Extract<RunnerToGateway, { kind: "egress" | "ingressAccepted" | "announce" }>,
  ): void {
    if (this.#attached?.link !== link) {
      this.#counters.egressFenced += message.kind === "egress" ? message.frames.length : 1;
      return;
    }
    switch (message.kind) {
      case "egress":
        this.#onEgress(message.first, message.frames);
        return;
      case "announce":
        this.#toNetwork(message.frame);
        return;
      case "ingressAccepted":
        this.#onAccepted(message.gateway, message.next);
        return;
    }
  }

  #onEgress(first: number, frames: readonly Uint8Array[]): void {
    const expected = this.#egressNext ?? first;
    const repeated = Math.min(Math.max(0, expected - first), frames.length);
    this.#counters.egressRepeated += repeated;
    for (const frame of frames.slice(repeated)) this.#toNetwork(frame);
    this.#egressNext = Math.max(expected, first + frames.length);
  }

  #onAccepted(gateway: number, next: number): void {
    // Of frames that another gateway process took.
    if (gateway !== this.#options.gateway) return;
    if (next > this.#ingress.next) {
      throw new RunnerProtocolError(
        `frames before ${next} were accepted; the next one is ${this.#ingress.next}`,
      );
    }
    this.#ingress.forgetBefore(next);
    this.#sendIngress();
  }

  #toNetwork(frame: Uint8Array): void {
    if (!isFrame(frame)) {
      this.#counters.malformed++;
      return;
    }
    if (this.#network === null || this.#network.queuedBytes + frame.length > egressQueueBytesMax) {
      this.#counters.egressDropped++;
      return;
    }
    this.#counters.egressFrames++;
    this.#counters.egressBytes += frame.length;
    this.#network.send(frame);
  }

  /** A runner that reads nothing gets no more: what is too old by then is forgotten. */
  #sendIngress(): void {
    if (this.#attached === null) return;
    const { link } = this.#attached;
    const bytesMax = gatewayMessageBytesMax - messageOverheadBytes;
    while (link.connection.queuedBytes <= ingressInFlightBytesMax) {
      const run = this.#ingress.run(this.#ingressUnsent, bytesMax, frameOverheadBytes);
      if (run === null) return;
      link.send({ kind: "ingress", ...run });
      this.#ingressUnsent = run.first + run.frames.length;
    }
  }

  #close(link: Link, reason: CloseReason, claim: Claim | null = null): void {
    link.close(reason, this.epoch ?? 0);
    if (claim !== null) this.#options.onReport({ kind: "closed", ...claim, reason });
  }
}
