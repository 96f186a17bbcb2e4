/**
 * The reader's side of the guest's console (shared/protocol/console.ts), over as many failovers as
 * there are: it stays with whichever runner is the primary, goes on at the byte at which it
 * stopped, and sends again what was not accepted. No byte is lost or doubled in either direction;
 * what a reader missed because it was away for longer than the runners' history is told.
 *
 * It has neither sockets nor a clock: those of its shell are real in the command, and simulated in
 * the simulator.
 */
import { BytesError } from "../../shared/bytes.ts";
import { FrameReader, FramingError, frame } from "../../shared/framing.ts";
import {
  type ConsoleMessage,
  consoleMessageBytesMax,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../shared/protocol/console.ts";
import type { Epoch } from "../../shared/protocol/record.ts";
import { EndpointSearch } from "./endpoint-search.ts";
import { OutputPosition } from "./output-position.ts";
import { PendingInput } from "./pending-input.ts";

/** A try that gets no answer is given up after this long. */
const tryTimeoutMs = 2_000;
const triesPerEndpointMax = 4;
/** A primary that is silent may be frozen: the others are asked whether they are primary now. */
const silenceMs = 500;
/** A runner that accepts nothing for so long may have refused what was typed: it is sent again. */
const resendMs = 1_000;
/** A runner that says nothing at all meanwhile is left after so many: what is sent only piles up. */
const unheardResendsMax = 10;

/** Names a connection that is tried, or used. No two have the same in the life of a session. */
export type TryId = number;

/** What a session has done for it. None of these calls the session back before it returns. */
export interface SessionShell {
  /** Begins to connect to the endpoint with this number; `opened` or `closed` tells the outcome. */
  open(id: TryId, endpoint: number): void;
  send(id: TryId, bytes: Uint8Array): void;
  /** The session has no use for it any more, and need not be told about it. */
  destroy(id: TryId): void;
  /** `wake` is to be called after this long, whatever was wished before. */
  wakeIn(ms: number): void;
}

export interface SessionEvents {
  readonly onOutput: (bytes: Uint8Array, position: number) => void;
  /** The runners no longer have this many bytes that were printed while nobody was connected. */
  readonly onMissed?: ((bytes: number) => void) | undefined;
  /**
   * The guest was booted anew, and its output begins again. What was typed and not accepted is
   * dropped: nobody knows whether the guest that is no more has taken it.
   */
  readonly onRestarted?: ((life: Epoch) => void) | undefined;
  readonly onConnected?: ((endpoint: number) => void) | undefined;
  readonly onDisconnected?: (() => void) | undefined;
  /** Everything typed below this position is in the acknowledged log. */
  readonly onAccepted?: ((position: number) => void) | undefined;
  /** There is room for input again, after `write` returned false. */
  readonly onRoom?: (() => void) | undefined;
}

export interface SessionOptions extends SessionEvents {
  /** Names this reader to the guest: 32 bits that no other reader of the VM ever has. */
  readonly writer: number;
  /** How many runners there are to ask; they are numbered from 0. */
  readonly endpoints: number;
  /** Where to begin; null: with the history that the runners keep. */
  readonly position: number | null;
}

type Attached = Extract<ConsoleMessage, { readonly kind: "attached" }>;

interface Try {
  readonly id: TryId;
  readonly endpoint: number;
  readonly frames: FrameReader;
  heardMs: number;
}

export class ConsoleSession {
  readonly #options: SessionOptions;
  readonly #shell: SessionShell;
  readonly #input = new PendingInput();
  readonly #output: OutputPosition;
  readonly #search: EndpointSearch;
  readonly #tries = new Map<TryId, Try>();
  #attached: Try | null = null;
  /** Of the guest; null: no runner has told it yet. */
  #life: Epoch | null = null;
  #nextId: TryId = 1;
  /** How far input was accepted when that was last looked at and all was well, and when that was. */
  #progress = { position: 0, atMs: 0 };
  /** Times that input was sent again since the runner was last heard. */
  #unheardResends = 0;
  #closed = false;

  constructor(options: SessionOptions, shell: SessionShell, nowMs: number) {
    this.#options = options;
    this.#shell = shell;
    this.#output = new OutputPosition(options.position);
    this.#search = new EndpointSearch(options.endpoints, nowMs);
    shell.wakeIn(0);
  }

  get connected(): boolean {
    return this.#attached !== null;
  }

  /** The epoch at which the guest began to live whose console it is; null: nobody told it yet. */
  get life(): Epoch | null {
    return this.#life;
  }

  /** Position of the next byte of output. */
  get position(): number | null {
    return this.#output.next;
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
    for (const id of this.#tries.keys()) this.#shell.destroy(id);
    this.#tries.clear();
    this.#attached = null;
  }

  /** One turn of looking for the primary. */
  wake(nowMs: number): void {
    if (this.#closed) return;
    this.#giveUpSilentTries(nowMs);
    if (this.#attached === null) {
      this.#tryNext(nowMs);
      this.#shell.wakeIn(this.#search.intervalMs(nowMs));
      return;
    }
    if (nowMs - this.#attached.heardMs > silenceMs) this.#tryNext(nowMs);
    this.#resendRefused(nowMs);
    if (this.#attached !== null) this.#shell.wakeIn(silenceMs);
  }

  opened(id: TryId, nowMs: number): void {
    const attempt = this.#tries.get(id);
    if (attempt === undefined) return;
    attempt.heardMs = nowMs;
    this.#attach(attempt);
  }

  /** A piece of what a runner says, of any size. */
  received(id: TryId, bytes: Uint8Array, nowMs: number): void {
    const attempt = this.#tries.get(id);
    if (attempt === undefined) return;
    attempt.heardMs = nowMs;
    try {
      for (const message of attempt.frames.push(bytes)) {
        if (!this.#tries.has(id)) return;
        this.#onMessage(attempt, decodeConsoleMessage(message), nowMs);
      }
    } catch (error) {
      // A runner that talks nonsense is left like one that died; ours are errors of this program.
      if (!(error instanceof BytesError || error instanceof FramingError)) throw error;
      this.#hangUp(attempt, nowMs);
    }
  }

  /** The connection is gone, or never came to be. */
  closed(id: TryId, nowMs: number): void {
    const attempt = this.#tries.get(id);
    if (attempt !== undefined) this.#forget(attempt, nowMs);
  }

  #giveUpSilentTries(nowMs: number): void {
    for (const attempt of [...this.#tries.values()]) {
      const silentMs = nowMs - attempt.heardMs;
      if (attempt !== this.#attached && silentMs >= tryTimeoutMs) this.#hangUp(attempt, nowMs);
    }
  }

  #tryNext(nowMs: number): void {
    const endpoint = this.#search.next();
    const same = [...this.#tries.values()].filter((attempt) => attempt.endpoint === endpoint);
    if (this.#attached?.endpoint === endpoint || same.length >= triesPerEndpointMax) return;
    const id = this.#nextId++;
    const frames = new FrameReader(consoleMessageBytesMax);
    this.#tries.set(id, { id, endpoint, frames, heardMs: nowMs });
    this.#shell.open(id, endpoint);
  }

  #onMessage(attempt: Try, message: ConsoleMessage, nowMs: number): void {
    switch (message.kind) {
      case "attached":
        this.#onAttached(attempt, message, nowMs);
        break;
      case "output":
        if (attempt === this.#attached) this.#onOutput(message.position, message.bytes);
        break;
      case "accepted":
        if (attempt === this.#attached) this.#onAccepted(message.position);
        break;
      case "notPrimary":
      // Only readers say these two.
      case "attach":
      case "input":
        this.#hangUp(attempt, nowMs);
        break;
    }
  }

  #onAttached(attempt: Try, { life, position }: Attached, nowMs: number): void {
    if (attempt === this.#attached) return;
    if (this.#life !== null && life !== this.#life) {
      this.#onOtherLife(attempt, life, nowMs);
      return;
    }
    this.#life = life;
    this.#attached = attempt;
    this.#unheardResends = 0;
    for (const { id } of [...this.#tries.values()]) {
      if (id === attempt.id) continue;
      this.#tries.delete(id);
      this.#shell.destroy(id);
    }
    const missed = this.#output.skipTo(position);
    if (missed > 0) this.#options.onMissed?.(missed);
    this.#input.resendFromAccepted();
    this.#options.onConnected?.(attempt.endpoint);
    this.#sendInput();
  }

  /** The guest was booted anew: its console, and what is typed on it, begin again. */
  #onOtherLife(attempt: Try, life: Epoch, nowMs: number): void {
    if (this.#life !== null && life < this.#life) {
      this.#hangUp(attempt, nowMs);
      return;
    }
    this.#life = life;
    this.#output.restart();
    const hadRoom = this.#input.hasRoom;
    this.#input.forget();
    this.#progress = { position: 0, atMs: nowMs };
    if (this.#attached !== null) this.#hangUp(this.#attached, nowMs);
    this.#options.onRestarted?.(life);
    if (!hadRoom) this.#options.onRoom?.();
    // What comes from the position of the earlier life is passed over.
    this.#attach(attempt);
  }

  #attach(attempt: Try): void {
    const { writer } = this.#options;
    this.#send(attempt, { kind: "attach", writer, position: this.#output.next });
  }

  #onOutput(position: number, bytes: Uint8Array): void {
    const { fresh, missed } = this.#output.arrive(position, bytes);
    if (missed > 0) this.#options.onMissed?.(missed);
    if (fresh !== null) this.#options.onOutput(fresh.bytes, fresh.position);
  }

  #onAccepted(position: number): void {
    const hadRoom = this.#input.hasRoom;
    this.#input.accepted(position);
    this.#options.onAccepted?.(position);
    this.#sendInput();
    if (!hadRoom && this.#input.hasRoom) this.#options.onRoom?.();
  }

  /** A primary does not say what it refuses; what it has already it drops. */
  #resendRefused(nowMs: number): void {
    const { acceptedPosition: position, isUnderWay } = this.#input;
    const stands = isUnderWay && position === this.#progress.position;
    if (stands && nowMs - this.#progress.atMs < resendMs) return;
    this.#progress = { position, atMs: nowMs };
    if (!stands || this.#attached === null) return;
    const heard = this.#attached.heardMs > nowMs - resendMs;
    this.#unheardResends = heard ? 0 : this.#unheardResends + 1;
    if (this.#unheardResends > unheardResendsMax) {
      this.#hangUp(this.#attached, nowMs);
      return;
    }
    this.#input.resendFromAccepted();
    this.#sendInput();
  }

  #sendInput(): void {
    if (this.#attached === null) return;
    for (let piece = this.#input.take(); piece !== null; piece = this.#input.take()) {
      this.#send(this.#attached, { kind: "input", ...piece });
    }
  }

  #send(attempt: Try, message: ConsoleMessage): void {
    this.#shell.send(attempt.id, frame(encodeConsoleMessage(message)));
  }

  #hangUp(attempt: Try, nowMs: number): void {
    this.#shell.destroy(attempt.id);
    this.#forget(attempt, nowMs);
  }

  #forget(attempt: Try, nowMs: number): void {
    this.#tries.delete(attempt.id);
    if (attempt !== this.#attached) return;
    this.#attached = null;
    this.#search.restart(attempt.endpoint, nowMs);
    this.#shell.wakeIn(0);
    this.#options.onDisconnected?.();
  }
}
