/**
 * Serves the guest's console to readers (shared/protocol/console.ts). Only a primary shows it and
 * takes what is typed; on any other runner a reader is told so and tries the other half.
 */
import type { TLSSocket } from "node:tls";
import { heldConsoleBytesMax } from "../../shared/limits.ts";
import {
  type ConsoleMessage,
  consoleMessageBytesMax,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../shared/protocol/console.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { ConsoleInput } from "../replay/log-entry.ts";
import { Connection } from "./connection.ts";
import { ConsoleHistory } from "./console-history.ts";

/** A reader that does not read is hung up on, and may come back for what is kept. */
const readerQueueBytesMax = 4 * 1024 * 1024;
const readersMax = 64;

interface Reader {
  readonly connection: Connection;
  writer: number | null;
}

export interface ConsoleServerOptions {
  readonly onInput: (input: ConsoleInput) => void;
  readonly onBadPeer: (problem: string) => void;
}

export class ConsoleServer {
  readonly #options: ConsoleServerOptions;
  readonly #history = new ConsoleHistory();
  readonly #readers = new Set<Reader>();
  #isPrimary = false;

  constructor(options: ConsoleServerOptions) {
    this.#options = options;
  }

  /** Named primary: what was remembered may be seen. */
  becomePrimary(): void {
    this.#isPrimary = true;
    this.#history.showAll();
  }

  /** Handed over: readers go to the other half. */
  resign(): void {
    this.#isPrimary = false;
    for (const reader of [...this.#readers]) this.#dismiss(reader);
  }

  remember(output: RunnerOutput): void {
    if (output.kind === "console") this.#history.remember(output.position, output.bytes);
  }

  release(output: RunnerOutput): void {
    if (output.kind === "accepted") {
      const { writer, position } = output;
      this.#tell({ kind: "accepted", writer, position }, (reader) => reader.writer === writer);
      return;
    }
    const { position, bytes } = output;
    this.#history.remember(position, bytes);
    this.#history.show(position + bytes.length);
    this.#tell({ kind: "output", position, bytes }, (reader) => reader.writer !== null);
  }

  /** A reader's connection, before its first message. */
  accept(socket: TLSSocket): void {
    const connection = new Connection(socket, consoleMessageBytesMax, {
      onMessage: (bytes) => this.#onMessage(reader, decodeConsoleMessage(bytes)),
      onClosed: (problem) => {
        this.#readers.delete(reader);
        if (problem !== null) this.#options.onBadPeer(problem);
      },
    });
    const reader: Reader = { connection, writer: null };
    this.#readers.add(reader);
    if (this.#readers.size > readersMax) this.#dismiss(reader);
  }

  close(): void {
    for (const { connection } of this.#readers) connection.end();
  }

  #onMessage(reader: Reader, message: ConsoleMessage): void {
    if (!this.#isPrimary) {
      this.#dismiss(reader);
      return;
    }
    switch (message.kind) {
      case "attach":
        reader.writer = message.writer;
        this.#replay(reader, message.position);
        return;
      case "input": {
        const { position, bytes } = message;
        if (reader.writer === null) throw new Error("console input before attach");
        this.#options.onInput({ kind: "console", writer: reader.writer, position, bytes });
        return;
      }
      default:
        throw new Error(`a reader does not send ${message.kind}`);
    }
  }

  /** What the reader has missed, in pieces. */
  #replay(reader: Reader, position: number | null): void {
    const missed = this.#history.from(position ?? 0);
    send(reader, { kind: "attached", position: missed.position });
    for (let at = 0; at < missed.bytes.length; at += heldConsoleBytesMax) {
      const bytes = missed.bytes.subarray(at, at + heldConsoleBytesMax);
      send(reader, { kind: "output", position: missed.position + at, bytes });
    }
  }

  #tell(message: ConsoleMessage, who: (reader: Reader) => boolean): void {
    for (const reader of this.#readers) {
      if (!who(reader)) continue;
      send(reader, message);
      if (reader.connection.queuedBytes > readerQueueBytesMax) this.#dismiss(reader);
    }
  }

  #dismiss(reader: Reader): void {
    send(reader, { kind: "notPrimary" });
    reader.connection.end();
    this.#readers.delete(reader);
  }
}

function send({ connection }: Reader, message: ConsoleMessage): void {
  connection.send(encodeConsoleMessage(message));
}
