/** A peer that a test plays itself: it speaks TLS with a key, and then says whatever it likes. */
import { once } from "node:events";
import tls from "node:tls";
import { pskClientOptions, pskServerOptions } from "../../src/platform/psk.ts";
import { FrameReader, frame } from "../../src/shared/framing.ts";
import { messageBytesMax } from "../../src/shared/limits.ts";
import { decodeMessage, encodeMessage } from "../../src/vm-runner/logging-channel/message-codec.ts";
import type { ChannelMessage } from "../../src/vm-runner/logging-channel/messages.ts";
import type { PairProcesses } from "./pair-processes.ts";

export class Stranger {
  /** Everything that the runner said, in order. */
  readonly heard: ChannelMessage[] = [];
  readonly #socket: tls.TLSSocket;
  #isClosed = false;

  constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    const frames = new FrameReader(messageBytesMax);
    socket.on("data", (bytes) => {
      for (const message of frames.push(bytes)) this.heard.push(decodeMessage(message));
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isClosed = true;
    });
  }

  /** Connects to a runner of the pair. */
  static async dial(pair: PairProcesses, port: number, key = pair.key): Promise<Stranger> {
    const socket = tls.connect({ host: "127.0.0.1", port, ...pskClientOptions(pair.vm, key) });
    const stranger = new Stranger(socket);
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]).catch(() => {});
    return stranger;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes as they are, without a frame. */
  raw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  framed(bytes: Uint8Array): void {
    this.raw(frame(bytes));
  }

  say(message: ChannelMessage): void {
    this.framed(encodeMessage(message));
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Listens where the primary should be; each runner that dials is given to `onStranger`. */
export async function playPrimary(
  pair: PairProcesses,
  port: number,
  onStranger: (stranger: Stranger) => void,
): Promise<{ close(): void }> {
  const sockets = new Set<tls.TLSSocket>();
  const keys = new Map([[pair.vm, pair.key]]);
  const server = tls.createServer(pskServerOptions(keys), (socket) => {
    sockets.add(socket);
    onStranger(new Stranger(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
