/**
 * The network behind the gateway, with its clients, and the one gateway process that has the
 * address to which the runners connect. What a process that died has not given on is gone with it.
 */
import type { NetworkPort } from "../../../src/gateway/gateway.ts";
import { egressQueueBytesMax } from "../../../src/shared/limits.ts";
import { decodeFrame, encodeFrame } from "../machine/frames.ts";
import type { OutsideShape } from "../scenario.ts";
import { Asker } from "./asker.ts";
import { type GatewayParts, SimulatedGateway } from "./gateway.ts";
import type { Random } from "./random.ts";

/** From a client to the gateway takes up to this long, and back. */
const latencyMsMax = 0.5;

export interface OutsideWorld extends GatewayParts {
  /** A computer with this purpose is up, or down. */
  readonly setGatewayUp: (up: boolean) => void;
}

export class Outside {
  readonly askers: readonly Asker[];
  gateway: SimulatedGateway | null = null;
  /** Nobody starts another gateway. */
  goneForGood = false;
  readonly #world: OutsideWorld;
  readonly #shape: OutsideShape;
  readonly #random: Random;
  #serial = 0;
  #gateways = 0;
  /** Faults that keep the network away, or from reading. */
  #gone = 0;
  #full = 0;
  #calm = false;

  constructor(world: OutsideWorld, shape: OutsideShape, randomFor: (purpose: string) => Random) {
    this.#world = world;
    this.#shape = shape;
    this.#random = randomFor("outside");
    this.askers = Array.from({ length: shape.clients }, (_, i) => {
      const outside = {
        after: (ms: number, run: () => void) => world.agenda.after(ms, run),
        transmit: (request: string) => this.#transmit(request),
      };
      return new Asker(outside, `n${i + 1}`, shape.thinkMs, randomFor(`asker ${i}`));
    });
  }

  /** Everybody who asked has an answer, or nobody can have one. */
  get satisfied(): boolean {
    return this.goneForGood || this.askers.every((asker) => asker.satisfied);
  }

  /** A new gateway process, if none is there. */
  start(): void {
    if (this.gateway !== null || this.goneForGood) return;
    this.#world.setGatewayUp(true);
    const number = Math.floor(2 ** 32 * this.#random());
    this.gateway = new SimulatedGateway(this.#world, `gw${++this.#gateways}`, number);
    if (this.#gone === 0) this.gateway.setNetwork(this.#port());
  }

  crash(silent: boolean, restartMs: number | null): void {
    const { gateway } = this;
    if (gateway === null) return;
    this.gateway = null;
    if (silent) this.#world.setGatewayUp(false);
    gateway.crash(silent);
    if (restartMs === null) this.goneForGood = true;
    else this.#world.agenda.after(restartMs, () => this.start());
  }

  /** The network behind is gone. */
  leave(): void {
    if (this.#gone++ === 0) this.gateway?.setNetwork(null);
  }

  comeBack(): void {
    if (--this.#gone === 0) this.gateway?.setNetwork(this.#port());
  }

  /** The network behind reads nothing. */
  fill(): void {
    this.#full++;
  }

  drain(): void {
    this.#full--;
  }

  /** So many frames of so many bytes that nobody asked for. */
  flood(frames: number, bytes: number): void {
    for (let i = 0; i < frames; i++) {
      this.#arrive(encodeFrame({ kind: "noise", serial: this.#serial++ }, bytes));
    }
  }

  /** Faults are over: each client makes a last request. */
  calm(): void {
    this.#calm = true;
    for (const asker of this.askers) asker.finish();
  }

  #port(): NetworkPort {
    const isFull = () => this.#full > 0;
    return {
      get queuedBytes() {
        return isFull() ? egressQueueBytesMax : 0;
      },
      send: (frame) => this.#pass(() => this.#deliver(frame)),
    };
  }

  #transmit(request: string): void {
    const frame = encodeFrame({ kind: "request", serial: this.#serial++, request });
    this.#pass(() => this.#arrive(frame));
  }

  #arrive(frame: Uint8Array): void {
    if (this.#gone === 0) this.gateway?.onFrame(frame);
  }

  #deliver(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "sent" || frame.request === null) return;
    for (const asker of this.askers) asker.onAnswer(frame.request);
  }

  /** Each frame takes its own time, and may be lost. */
  #pass(then: () => void): void {
    const late = latencyMsMax * this.#random();
    if (!this.#calm && this.#random() < this.#shape.lossShare) return;
    this.#world.agenda.after(late, then);
  }
}
