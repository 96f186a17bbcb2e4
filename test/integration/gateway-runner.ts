/**
 * A runner as far as a gateway sees one: a TLS connection that attaches, runs a guest of a few
 * packets, confirms what it was given and sends what the guest answers.
 */
import tls, { type TLSSocket } from "node:tls";
import { pskClientOptions } from "../../src/platform/psk.ts";
import { FrameReader, frame } from "../../src/shared/framing.ts";
import { gatewayMessageBytesMax } from "../../src/shared/limits.ts";
import {
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayToRunner,
  type RunnerToGateway,
} from "../../src/shared/protocol/gateway.ts";
import type { FakeGuest } from "./gateway-guest.ts";

export interface FakeRunnerOptions {
  readonly vm: string;
  readonly key: Uint8Array;
  readonly port: number;
  readonly guest: FakeGuest;
}

export class FakeRunner {
  readonly guest: FakeGuest;
  readonly received: GatewayToRunner[] = [];
  /** Frames for the guest, by number, in the order in which they came. */
  readonly numbers: number[] = [];
  /** False: what comes is not confirmed, as by a primary without its acknowledgement. */
  confirms = true;
  /** False: what the guest answers stays here. */
  answers = true;
  problem: string | null = null;
  closed = false;
  readonly #socket: TLSSocket;
  #egressNext = 0;

  constructor({ vm, key, port, guest }: FakeRunnerOptions) {
    this.guest = guest;
    const reader = new FrameReader(gatewayMessageBytesMax);
    this.#socket = tls.connect({ ...pskClientOptions(vm, key), host: "127.0.0.1", port });
    this.#socket.on("error", (error) => {
      this.problem = error.message;
    });
    this.#socket.on("close", () => {
      this.closed = true;
    });
    this.#socket.on("data", (piece: Uint8Array) => {
      for (const message of reader.push(piece)) this.#onMessage(decodeGatewayMessage(message));
    });
  }

  get attached(): Extract<GatewayToRunner, { kind: "attached" }> | null {
    return this.received.find((message) => message.kind === "attached") ?? null;
  }

  get reason(): string | null {
    return this.received.find((message) => message.kind === "closed")?.reason ?? null;
  }

  attach(nonce: string, epoch: number): this {
    this.send({ kind: "attach", nonce, epoch, life: 0 });
    return this;
  }

  send(message: RunnerToGateway): void {
    this.#socket.write(frame(encodeGatewayMessage(message)));
  }

  /** Frames of the guest, numbered on from the last. */
  sendFrames(frames: readonly Uint8Array[]): void {
    this.send({ kind: "egress", first: this.#egressNext, frames });
    this.#egressNext += frames.length;
  }

  /** Reads nothing from now on, as a process that hangs. */
  hang(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #onMessage(message: GatewayToRunner | RunnerToGateway): void {
    // SAFETY: whatever else a gateway sends fails the test that looks at what was received.
    this.received.push(message as GatewayToRunner);
    if (message.kind === "attached") this.#egressNext = message.egressNext ?? 0;
    if (message.kind !== "ingress") return;
    const answers: Uint8Array[] = [];
    for (const [i, bytes] of message.frames.entries()) {
      this.numbers.push(message.first + i);
      const answer = this.guest.answer(bytes);
      if (answer !== null) answers.push(answer);
    }
    const gateway = this.attached?.gateway ?? 0;
    const next = message.first + message.frames.length;
    if (this.confirms) this.send({ kind: "ingressAccepted", gateway, next });
    if (this.answers && answers.length > 0) this.sendFrames(answers);
  }
}
