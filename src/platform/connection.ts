/** A framed connection over TLS-PSK: messages in, messages out, one end. */
import type { TLSSocket } from "node:tls";
import { FrameReader, frame } from "../shared/framing.ts";
import { WriteTurn } from "./write-turn.ts";

export interface ConnectionEvents {
  /** A message; throwing hangs up, because a peer that breaks the format cannot be followed. */
  onMessage(message: Uint8Array): void;
  /** Once, whoever ended it; `problem` is how the peer broke the format or TLS. */
  onClosed(problem: string | null): void;
}

export class Connection {
  readonly #socket: TLSSocket;
  readonly #turn: WriteTurn;
  #problem: string | null = null;

  /** `turn`: what is sent in it leaves together; each piece that comes is a turn. */
  constructor(
    socket: TLSSocket,
    messageBytesMax: number,
    events: ConnectionEvents,
    turn: WriteTurn = new WriteTurn(),
  ) {
    this.#socket = socket;
    this.#turn = turn;
    const reader = new FrameReader(messageBytesMax);
    socket.setNoDelay(true);
    socket.on("data", (piece: Uint8Array) => this.#take(reader, piece, events));
    socket.on("error", (error: Error & { code?: string }) => {
      if (isPeersFault(error)) this.#problem ??= error.message;
    });
    // A half-open connection is of no use: whoever ends it, ends it.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => events.onClosed(this.#problem));
  }

  /** Bytes that wait for the peer to read. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Gives the bytes sent; `onSent` is called when the socket has taken the message. */
  send(message: Uint8Array, onSent?: () => void): number {
    if (this.#socket.destroyed) return 0;
    const framed = frame(message);
    this.#turn.join(this.#socket);
    this.#socket.write(framed, (error) => {
      if (!error) onSent?.();
    });
    return framed.length;
  }

  /** Ends the connection after what was sent, at the latest after a second. */
  end(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
  }

  /** Ends the connection at once. */
  hangUp(): void {
    this.#socket.destroy();
  }

  #take(reader: FrameReader, piece: Uint8Array, events: ConnectionEvents): void {
    try {
      this.#turn.run(() => {
        for (const message of reader.push(piece)) events.onMessage(message);
      });
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#socket.destroy();
    }
  }
}

/** A peer that died, or a network that broke, has said nothing wrong. */
function isPeersFault({ code = "" }: { readonly code?: string }): boolean {
  return code === "EPROTO" || code.startsWith("ERR_SSL");
}
