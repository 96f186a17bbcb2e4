/**
 * Stands before one runner's port, for its channel (TCP) and its heartbeats (UDP), so that a test
 * can cut the way between two living runners, or stop a state transfer at a byte of its choice.
 */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { freePort } from "./pair-ports.ts";

const host = "127.0.0.1";

export class PairProxy {
  readonly port: number;
  readonly #target: number;
  readonly #server: net.Server;
  readonly #datagrams = dgram.createSocket("udp4");
  readonly #sockets = new Set<net.Socket>();
  #isCut = false;
  #sent = 0;
  #stopAt = Number.POSITIVE_INFINITY;
  #onStop: () => void = () => {};

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server = net.createServer((socket) => this.#relay(socket));
    this.#datagrams.on("message", (datagram) => {
      if (!this.#isCut) this.#datagrams.send(datagram, target, host);
    });
  }

  static async before(target: number): Promise<PairProxy> {
    const proxy = new PairProxy(await freePort(), target);
    proxy.#server.listen(proxy.port, host);
    proxy.#datagrams.bind(proxy.port, host);
    await Promise.all([once(proxy.#server, "listening"), once(proxy.#datagrams, "listening")]);
    return proxy;
  }

  /** Bytes that came from the runner behind the proxy, over all connections. */
  get sent(): number {
    return this.#sent;
  }

  /** Nothing passes any more and nobody is told, as when a network is split. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  heal(): void {
    this.#isCut = false;
    this.reset();
  }

  /** Breaks the connections that stand; new ones are let through. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Lets `bytes` more pass from the runner behind, then cuts; resolves at that moment. */
  cutAfter(bytes: number): Promise<void> {
    this.#stopAt = this.#sent + bytes;
    return new Promise((resolve) => {
      this.#onStop = resolve;
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#datagrams.close();
    await once(this.#server, "close");
  }

  #relay(near: net.Socket): void {
    const far = net.connect(this.#target, host);
    near.on("data", (bytes) => {
      if (!this.#isCut) far.write(bytes);
    });
    far.on("data", (bytes) => this.#pass(near, bytes));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      if (this.#isCut) socket.pause();
      socket.on("error", () => other.resetAndDestroy());
      socket.on("end", () => other.end());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  #pass(near: net.Socket, bytes: Buffer): void {
    if (this.#isCut) return;
    this.#sent += bytes.length;
    if (this.#sent < this.#stopAt) {
      near.write(bytes);
      return;
    }
    near.write(bytes.subarray(0, bytes.length - (this.#sent - this.#stopAt)));
    this.#stopAt = Number.POSITIVE_INFINITY;
    this.cut();
    this.#onStop();
  }
}
