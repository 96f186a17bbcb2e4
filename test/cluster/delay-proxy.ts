/**
 * A TCP proxy for tests that stands before a server, such as the API server, and makes the way to it
 * long: what is sent takes `delayMs` in each direction, and up to `jitterMs` more, which a seed decides.
 * No byte is lost, altered or overtaken, and an end or a reset of one side reaches the other behind the
 * bytes that were sent before it. It holds a bounded number of bytes; a faster sender has to wait.
 */
import { once } from "node:events";
import net from "node:net";
import { type Random, randomOf } from "../simulation/world/random.ts";

export interface DelayProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Where it listens: on this machine at a free port, unless said otherwise. */
  readonly host?: string;
  readonly port?: number;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly seed?: number;
}

/** On their way in one direction of one connection, but for the last piece that was read. */
export const bytesInFlightMax = 1 << 20;

export class DelayProxy {
  /** One way; a change holds for what is sent from now on, which still overtakes nothing. */
  delayMs: number;
  readonly port: number;
  readonly #server: net.Server;
  readonly #options: DelayProxyOptions;
  readonly #random: Random;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server, port: number, options: DelayProxyOptions) {
    this.port = port;
    this.delayMs = options.delayMs ?? 0;
    this.#server = server;
    this.#options = options;
    this.#random = randomOf(options.seed ?? 1, "delay proxy");
    server.on("connection", (near) => this.#relay(near));
  }

  /** Resolves when it listens. */
  static async start(options: DelayProxyOptions): Promise<DelayProxy> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a proxy without a port");
    return new DelayProxy(server, address.port, options);
  }

  /** Breaks what stands, with all that is on its way; resolves when nothing of it is left. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #relay(near: net.Socket): void {
    const far = net.connect({ ...this.#options.target, allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // "close" follows, and says that there was one.
      socket.on("error", () => {});
    }
    carry(near, far, () => this.#delay());
    carry(far, near, () => this.#delay());
  }

  #delay(): number {
    return this.delayMs + this.#random() * (this.#options.jitterMs ?? 0);
  }
}

interface Item {
  readonly dueMs: number;
  readonly what: Buffer | "end" | "reset";
}

/** One direction of a connection. */
function carry(from: net.Socket, to: net.Socket, delayMs: () => number): void {
  const items: Item[] = [];
  let bytesInFlight = 0;
  let timer: NodeJS.Timeout | undefined;

  const take = (what: Item["what"]) => {
    if (to.destroyed) return;
    items.push({ dueMs: performance.now() + delayMs(), what });
    if (items.length === 1) deliver();
  };

  // The first one is waited for, even if a later one is due before it: nothing overtakes.
  const deliver = () => {
    clearTimeout(timer);
    for (let item = items[0]; item !== undefined; item = items[0]) {
      const waitMs = item.dueMs - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(deliver, waitMs);
        return;
      }
      // Who does not read gets no more; "drain" goes on.
      if (to.writableNeedDrain) return;
      items.shift();
      pass(item.what);
    }
  };

  const pass = (what: Item["what"]) => {
    if (what === "end") to.end();
    else if (what === "reset") to.resetAndDestroy();
    else {
      to.write(what);
      bytesInFlight -= what.length;
      if (bytesInFlight < bytesInFlightMax) from.resume();
    }
  };

  from.on("data", (bytes) => {
    bytesInFlight += bytes.length;
    if (bytesInFlight >= bytesInFlightMax) from.pause();
    take(bytes);
  });
  from.once("end", () => take("end"));
  from.once("close", (hadError) => {
    if (hadError || !from.readableEnded) take("reset");
  });
  to.on("drain", deliver);
  to.once("close", () => {
    clearTimeout(timer);
    items.length = 0;
  });
}
