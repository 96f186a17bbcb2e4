/** Both sides of a gateway's core, for its tests: runners that attach, and the network behind. */
import type { Gateway, NetworkPort, RunnerConnection, RunnerLink } from "../src/gateway/gateway.ts";
import {
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayMessage,
  type RunnerToGateway,
} from "../src/shared/protocol/gateway.ts";
import type { VmRecord } from "../src/shared/protocol/record.ts";

/** By which the gateway is known in the log. */
export const number = 77;
export const recordOf = (epoch: number, primary: string | null): VmRecord => ({
  ...{ vm: "v", epoch, primary, backup: null, takeovers: 0 },
});

/** The network behind: keeps what it is given. */
export class FakeNetwork implements NetworkPort {
  queuedBytes = 0;
  readonly sent: number[] = [];

  send(frame: Uint8Array): void {
    this.sent.push(frame[0] ?? 0);
  }
}

/** A runner as the gateway's core sees one: messages in order. */
export class FakeRunner implements RunnerConnection {
  queuedBytes = 0;
  ended = false;
  readonly messages: GatewayMessage[] = [];
  readonly sizes: number[] = [];
  readonly link: RunnerLink;
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.link = gateway.accept(this);
  }

  send(message: Uint8Array): void {
    if (this.ended) throw new Error("a message was sent after the end");
    this.sizes.push(message.length);
    this.messages.push(decodeGatewayMessage(message));
  }

  end(): void {
    this.ended = true;
  }

  says(message: RunnerToGateway): void {
    this.#gateway.receive(this.link, encodeGatewayMessage(message));
  }

  attach(nonce: string, epoch: number, life = 0): this {
    this.says({ kind: "attach", nonce, epoch, life });
    return this;
  }

  egress(first: number, ...marks: number[]): void {
    this.says({ kind: "egress", first, frames: marks.map((mark) => frame(mark)) });
  }

  accepts(next: number, gateway = number): void {
    this.says({ kind: "ingressAccepted", gateway, next });
  }

  /** Numbers and marks of the frames that it was given. */
  get given(): number[][] {
    return this.messages.flatMap((message) => {
      if (message.kind !== "ingress") return [];
      return message.frames.map((bytes, i) => [message.first + i, bytes[0] ?? 0]);
    });
  }

  get kinds(): string[] {
    return this.messages.map(({ kind }) => kind);
  }

  get reason(): string | null {
    return this.messages.find((message) => message.kind === "closed")?.reason ?? null;
  }
}

export function frame(mark: number): Uint8Array {
  return new Uint8Array(20).fill(mark);
}
