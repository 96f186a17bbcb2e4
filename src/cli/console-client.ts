/**
 * Reads and types on the guest's console, over as many failovers as there are: it stays with
 * whichever runner is the primary, goes on at the byte at which it stopped, and sends again what
 * was not accepted. No byte is lost or doubled in either direction; what a reader missed because it
 * was away for longer than the runners' history is told, never hidden.
 */
import { randomBytes } from "node:crypto";
import tls from "node:tls";
import { isWrongKey, pskClientOptions } from "../platform/psk.ts";
import { assert } from "../shared/assert.ts";
import { FrameReader, frame } from "../shared/framing.ts";
import {
  type ConsoleMessage,
  consoleMessageBytesMax,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../shared/protocol/console.ts";
import { PendingInput } from "./console/pending-input.ts";

export interface ConsoleEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface ConsoleOptions {
  readonly vm: string;
  readonly key: Uint8Array;
  /** Both runners: either may be the primary. */
  readonly endpoints: readonly ConsoleEndpoint[];
  /** Where to begin; null: with the history that the runners keep. */
  readonly position: number | null;
  readonly onOutput: (bytes: Uint8Array, position: number) => void;
  /** The runners no longer have this many bytes that were printed while nobody was connected. */
  readonly onMissed?: (bytes: number) => void;
  readonly onConnected?: (endpoint: ConsoleEndpoint) => void;
  readonly onDisconnected?: () => void;
  /** There is room for input again, after `write` returned false. */
  readonly onRoom?: () => void;
  /** The runners do not accept our key: the client has given up. */
  readonly onRefused?: (message: string) => void;
}

/** Between two tries while disconnected; with several endpoints they take turns. */
const tryIntervalMs = 8;
/** After this long without a primary, tries become rare. */
const eagerMs = 5_000;
const patientIntervalMs = 100;
/** A try that gets no answer is given up after this long. */
const tryTimeoutMs = 2_000;
const triesPerEndpointMax = 4;
/** A primary that is silent may be frozen: the others are asked whether they are primary now. */
const silenceMs = 500;

export class ConsoleClient {
  readonly #options: ConsoleOptions;
  readonly #writer = randomBytes(4).readUInt32LE();
  readonly #input = new PendingInput();
  readonly #tries = new Set<Try>();
  #attached: Try | null = null;
  #position: number | null;
  #heardMs = 0;
  #searchingSinceMs = performance.now();
  #turn = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ConsoleOptions) {
    assert(options.endpoints.length > 0, "a console needs at least one runner to ask");
    this.#options = options;
    this.#position = options.position;
    this.#schedule(0);
  }

  get connected(): boolean {
    return this.#attached !== null;
  }

  /** Position of the next byte of output. */
  get position(): number | null {
    return this.#position;
  }

  /** Bytes given to `write` that are not yet in the acknowledged log. */
  get pendingBytes(): number {
    return this.#input.pendingBytes;
  }

  /** Takes all of `bytes`; false: wait for `onRoom` before writing more. */
  write(bytes: Uint8Array): boolean {
    this.#input.add(bytes);
    this.#sendInput();
    return this.#input.hasRoom;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const attempt of this.#tries) attempt.socket.destroy();
    this.#tries.clear();
    this.#attached = null;
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  /** One turn of looking for the primary. */
  #look(): void {
    const now = performance.now();
    if (this.#attached !== null) {
      if (now - this.#heardMs > silenceMs) this.#tryNext();
      this.#schedule(silenceMs);
      return;
    }
    this.#tryNext();
    this.#schedule(now - this.#searchingSinceMs < eagerMs ? tryIntervalMs : patientIntervalMs);
  }

  #tryNext(): void {
    const endpoint = this.#options.endpoints[this.#turn++ % this.#options.endpoints.length];
    assert(endpoint !== undefined, "the turn is within the endpoints");
    const same = [...this.#tries].filter((attempt) => attempt.endpoint === endpoint);
    if (this.#attached?.endpoint === endpoint || same.length >= triesPerEndpointMax) return;
    this.#tries.add(this.#open(endpoint));
  }

  #open(endpoint: ConsoleEndpoint): Try {
    const { vm, key } = this.#options;
    const socket = tls.connect({ ...endpoint, ...pskClientOptions(vm, key) });
    const attempt: Try = { endpoint, socket, frames: new FrameReader(consoleMessageBytesMax) };
    socket.setNoDelay(true);
    socket.setTimeout(tryTimeoutMs, () => {
      if (attempt !== this.#attached) socket.destroy();
    });
    socket.on("secureConnect", () => {
      send(attempt, { kind: "attach", writer: this.#writer, position: this.#position });
    });
    socket.on("data", (bytes) => this.#onData(attempt, bytes));
    socket.on("error", (error) => {
      if (isWrongKey(error) && !this.#closed) this.#refused(endpoint);
    });
    socket.on("close", () => this.#onClose(attempt));
    return attempt;
  }

  #refused({ host, port }: ConsoleEndpoint): void {
    this.close();
    this.#options.onRefused?.(`the runner at ${host}:${port} has another key than ours`);
  }

  #onData(attempt: Try, bytes: Uint8Array): void {
    if (attempt === this.#attached) this.#heardMs = performance.now();
    try {
      for (const message of attempt.frames.push(bytes)) {
        if (!this.#tries.has(attempt)) return;
        this.#onMessage(attempt, decodeConsoleMessage(message));
      }
    } catch (error) {
      // A runner that talks nonsense is left like one that died; ours are errors of this program.
      if (!isProtocolError(error)) throw error;
      attempt.socket.destroy();
    }
  }

  #onMessage(attempt: Try, message: ConsoleMessage): void {
    switch (message.kind) {
      case "attached":
        this.#onAttached(attempt, message.position);
        break;
      case "notPrimary":
        attempt.socket.destroy();
        break;
      case "output":
        if (attempt === this.#attached) this.#onOutput(message.position, message.bytes);
        break;
      case "accepted":
        if (attempt === this.#attached) this.#onAccepted(message.position);
        break;
      case "attach":
      case "input":
        // Only readers say these.
        attempt.socket.destroy();
        break;
    }
  }

  #onAttached(attempt: Try, position: number): void {
    if (attempt === this.#attached) return;
    // Without a position of our own, the first output tells where we begin.
    const wanted = this.#position ?? position;
    if (position > wanted) {
      this.#options.onMissed?.(position - wanted);
      this.#position = position;
    }
    this.#attached = attempt;
    this.#heardMs = performance.now();
    for (const other of this.#tries) {
      if (other !== attempt) other.socket.destroy();
    }
    attempt.socket.setTimeout(0);
    this.#input.resendFromAccepted();
    this.#options.onConnected?.(attempt.endpoint);
    this.#sendInput();
  }

  #onOutput(position: number, bytes: Uint8Array): void {
    const wanted = this.#position ?? position;
    if (position > wanted) this.#options.onMissed?.(position - wanted);
    const known = Math.max(0, wanted - position);
    if (known >= bytes.length) return;
    this.#position = position + bytes.length;
    this.#options.onOutput(bytes.subarray(known), position + known);
  }

  #onAccepted(position: number): void {
    const hadRoom = this.#input.hasRoom;
    this.#input.accepted(position);
    this.#sendInput();
    if (!hadRoom && this.#input.hasRoom) this.#options.onRoom?.();
  }

  #sendInput(): void {
    if (this.#attached === null) return;
    for (let piece = this.#input.take(); piece !== null; piece = this.#input.take()) {
      send(this.#attached, { kind: "input", ...piece });
    }
  }

  #onClose(attempt: Try): void {
    this.#tries.delete(attempt);
    if (attempt !== this.#attached) return;
    this.#attached = null;
    if (this.#closed) return;
    this.#searchingSinceMs = performance.now();
    this.#options.onDisconnected?.();
    // The runner that just died comes last: the other one is the likely primary.
    this.#turn = this.#options.endpoints.indexOf(attempt.endpoint) + 1;
    this.#schedule(0);
  }
}

interface Try {
  readonly endpoint: ConsoleEndpoint;
  readonly socket: tls.TLSSocket;
  readonly frames: FrameReader;
}

function send(attempt: Try, message: ConsoleMessage): void {
  attempt.socket.write(frame(encodeConsoleMessage(message)));
}

function isProtocolError(error: unknown): boolean {
  return error instanceof Error && ["BytesError", "FramingError"].includes(error.name);
}
