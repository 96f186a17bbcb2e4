/**
 * A client of the simulated console: the session that `lockstep console` runs, over connections of
 * the simulated world. It types now and then, and knows how much of that the guest has echoed.
 */
import {
  ConsoleSession,
  type SessionShell,
  type TryId,
} from "../../../src/cli/console/console-session.ts";
import type { Happening, Node } from "../events.ts";
import { parseConsole } from "../machine/echoes.ts";
import { below, type Random } from "./random.ts";

/** What a client needs of the world. */
export interface ClientWorld {
  readonly nowMs: number;
  after(ms: number, run: () => void): void;
  /** Begins to connect; `handlers` are called later, never from within. */
  connect(node: Node, handlers: ClientHandlers): ClientConnection;
  emit(happening: Happening): void;
}

export interface ClientHandlers {
  onOpen(): void;
  /** A piece of the stream, cut anywhere. */
  onData(bytes: Uint8Array): void;
  /** Once: the connection is gone, or could not be had. */
  onClosed(): void;
}

export interface ClientConnection {
  send(bytes: Uint8Array): void;
  /** The client has no use for it any more. */
  end(): void;
}

export interface ClientOptions {
  /** No two clients of a run have the same. */
  readonly writer: number;
  /** Every computer that may ever have a runner. */
  readonly nodes: readonly Node[];
  readonly random: Random;
}

/** None of these is a command to the simulated guest. */
const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
const typedAtOnceMax = 6;
/** Whoever sees no acceptance stops typing for a while. */
const pendingBytesMax = 256;

export class SimulatedClient {
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #session: ConsoleSession;
  readonly #connections = new Map<TryId, ClientConnection>();
  #echo: EchoReader;
  /** Of the guest; null: it was never connected. */
  #life: number | null = null;
  #typed = "";
  #wakes = 0;
  #typing = 0;

  constructor(world: ClientWorld, options: ClientOptions) {
    this.#world = world;
    this.#options = options;
    const { writer, nodes } = options;
    this.#echo = new EchoReader(writer);
    const session = {
      ...{ writer, endpoints: nodes.length, position: null },
      onOutput: (bytes: Uint8Array, position: number) => {
        world.emit({ kind: "seen", writer, position, bytes });
        this.#echo.push(bytes, position, this.#typed);
      },
      onMissed: () => this.#echo.miss(),
      onConnected: () => this.#onConnected(),
      onRestarted: () => this.#onRestarted(),
      onAccepted: (position: number) => world.emit({ kind: "accepted", writer, position }),
    };
    this.#session = new ConsoleSession(session, this.#shell(), world.nowMs);
  }

  /** How many bytes it typed, ever. */
  get typed(): number {
    return this.#typed.length;
  }

  /** How many of these, from the first on, it saw echoed, in order and without a gap. */
  get echoed(): number {
    return this.#echo.echoed;
  }

  /**
   * Output that it missed (more than runners keep) may have held its last echoes: only another one
   * can tell how far they came.
   */
  get hasMissedEchoes(): boolean {
    return this.#echo.missed && this.#session.connected && this.#session.pendingBytes === 0;
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  /** Types ASCII text. */
  type(text: string): void {
    const { writer } = this.#options;
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    this.#world.emit({ kind: "typed", writer, position: this.#typed.length, bytes });
    this.#typed += text;
    this.#session.write(bytes);
  }

  /** Types this many letters at once. */
  paste(length: number): void {
    this.type(this.#letters(length));
  }

  /** Types a few letters again and again, on average each `everyMs`; the letters count on. */
  startTyping(everyMs: number): void {
    const number = ++this.#typing;
    const typeLater = () => {
      this.#world.after(2 * everyMs * this.#options.random(), () => {
        if (number !== this.#typing) return;
        if (this.#session.pendingBytes < pendingBytesMax) this.#typeSome();
        typeLater();
      });
    };
    typeLater();
  }

  stopTyping(): void {
    this.#typing++;
  }

  close(): void {
    this.stopTyping();
    this.#wakes++;
    this.#session.close();
  }

  #onConnected(): void {
    if (this.#life === null) this.#follow();
  }

  /** The guest was booted anew: what was typed before is nothing to it. */
  #onRestarted(): void {
    const { nowMs } = this.#world;
    this.#echo = new EchoReader(this.#options.writer);
    this.#typed = "";
    this.#follow();
    this.type(`anew at ${Math.floor(nowMs)}`);
  }

  #follow(): void {
    const { writer } = this.#options;
    const { life } = this.#session;
    if (life === null) return;
    this.#life = life;
    this.#world.emit({ kind: "follows", writer, life });
  }

  #typeSome(): void {
    this.type(this.#letters(1 + below(this.#options.random, typedAtOnceMax)));
  }

  /** They tell by themselves where they stand. */
  #letters(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += alphabet[(this.#typed.length + i) % alphabet.length];
    return text;
  }

  #shell(): SessionShell {
    const world = this.#world;
    return {
      open: (id, endpoint) => this.#open(id, endpoint),
      send: (id, bytes) => this.#connections.get(id)?.send(bytes),
      destroy: (id) => {
        this.#connections.get(id)?.end();
        this.#connections.delete(id);
      },
      wakeIn: (ms) => {
        const number = ++this.#wakes;
        world.after(ms, () => {
          if (number === this.#wakes) this.#session.wake(world.nowMs);
        });
      },
    };
  }

  #open(id: TryId, endpoint: number): void {
    const world = this.#world;
    const node = this.#options.nodes[endpoint];
    if (node === undefined) throw new Error(`there is no computer ${endpoint}`);
    const connection = world.connect(node, {
      onOpen: () => this.#session.opened(id, world.nowMs),
      onData: (bytes) => this.#session.received(id, bytes, world.nowMs),
      onClosed: () => {
        this.#connections.delete(id);
        this.#session.closed(id, world.nowMs);
      },
    });
    this.#connections.set(id, connection);
  }
}

/** Bytes turned into text at once: a call takes only so many arguments. */
const pieceBytes = 4_096;

/** Follows the guest's echoes of one writer (echoes.ts) through its output. */
class EchoReader {
  readonly #prefix: string;
  #line = "";
  /** What comes up to the end of this line began before it was seen. */
  #torn = false;
  #first = true;
  /** An echo may be among what was missed: the next one tells how far they came. */
  missed = false;
  echoed = 0;

  constructor(writer: number) {
    this.#prefix = `${writer}@`;
  }

  miss(): void {
    this.#torn = true;
    this.missed = true;
    this.#line = "";
  }

  push(bytes: Uint8Array, position: number, typed: string): void {
    if (this.#first && position > 0) this.#torn = true;
    this.#first = false;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const lines = String.fromCharCode(...bytes.subarray(at, at + pieceBytes)).split("\n");
      const rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#onLine(this.#line + line, typed);
        this.#line = "";
      }
      this.#line += rest;
    }
  }

  #onLine(line: string, typed: string): void {
    const torn = this.#torn;
    this.#torn = false;
    if (torn || !line.startsWith(this.#prefix)) return;
    const [echo] = parseConsole(`${line}\n`);
    if (echo === undefined) return;
    const { position, text } = echo;
    // An echo of something else is no echo: the checkers say what is wrong with it.
    if (!typed.startsWith(text, position) || (position > this.echoed && !this.missed)) return;
    this.missed = false;
    this.echoed = Math.max(this.echoed, position + text.length);
  }
}
