/**
 * Reads and types on the guest's console: the sockets, the clock and the timer of a console session
 * (console/console-session.ts), which decides everything.
 */
import { randomBytes } from "node:crypto";
import tls from "node:tls";
import { isWrongKey, pskClientOptions } from "../platform/psk.ts";
import { assert } from "../shared/assert.ts";
import { ConsoleSession, type SessionEvents, type TryId } from "./console/console-session.ts";

export interface ConsoleEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface ConsoleOptions
  extends Pick<SessionEvents, "onOutput" | "onMissed" | "onDisconnected" | "onRoom"> {
  readonly vm: string;
  readonly key: Uint8Array;
  /** Both runners: either may be the primary. */
  readonly endpoints: readonly ConsoleEndpoint[];
  /** Where to begin; null: with the history that the runners keep. */
  readonly position: number | null;
  readonly onConnected?: (endpoint: ConsoleEndpoint) => void;
  /** The runners do not accept our key: the client has given up. */
  readonly onRefused?: (message: string) => void;
}

export class ConsoleClient {
  readonly #options: ConsoleOptions;
  readonly #session: ConsoleSession;
  readonly #sockets = new Map<TryId, tls.TLSSocket>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    const { endpoints, onConnected } = options;
    const shell = {
      open: (id: TryId, endpoint: number) => this.#open(id, this.#endpoint(endpoint)),
      send: (id: TryId, bytes: Uint8Array) => void this.#sockets.get(id)?.write(bytes),
      destroy: (id: TryId) => void this.#sockets.get(id)?.destroy(),
      wakeIn: (ms: number) => this.#wakeIn(ms),
    };
    const session = {
      ...options,
      writer: randomBytes(4).readUInt32LE(),
      endpoints: endpoints.length,
      onConnected: (endpoint: number) => onConnected?.(this.#endpoint(endpoint)),
    };
    this.#session = new ConsoleSession(session, shell, performance.now());
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  /** Position of the next byte of output. */
  get position(): number | null {
    return this.#session.position;
  }

  /** Bytes given to `write` that are not yet in the acknowledged log. */
  get pendingBytes(): number {
    return this.#session.pendingBytes;
  }

  /** Takes all of `bytes`; false: wait for `onRoom` before writing more. */
  write(bytes: Uint8Array): boolean {
    return this.#session.write(bytes);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#session.close();
  }

  #wakeIn(ms: number): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#session.wake(performance.now()), ms);
  }

  #endpoint(number: number): ConsoleEndpoint {
    const endpoint = this.#options.endpoints[number];
    assert(endpoint !== undefined, `there is no endpoint ${number}`);
    return endpoint;
  }

  #open(id: TryId, endpoint: ConsoleEndpoint): void {
    const { vm, key } = this.#options;
    const socket = tls.connect({ ...endpoint, ...pskClientOptions(vm, key) });
    this.#sockets.set(id, socket);
    socket.setNoDelay(true);
    socket.on("secureConnect", () => this.#session.opened(id, performance.now()));
    socket.on("data", (bytes) => this.#session.received(id, bytes, performance.now()));
    socket.on("error", (error) => {
      if (isWrongKey(error) && !this.#closed) this.#refused(endpoint);
    });
    socket.on("close", () => {
      this.#sockets.delete(id);
      this.#session.closed(id, performance.now());
    });
  }

  #refused({ host, port }: ConsoleEndpoint): void {
    this.close();
    this.#options.onRefused?.(`the runner at ${host}:${port} has another key than ours`);
  }
}
