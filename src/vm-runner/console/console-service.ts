/**
 * The guest's console, for readers (shared/protocol/console.ts). Only a primary shows it and takes
 * what is typed; on any other runner a reader is told so and tries the other half. A reader is a
 * connection that somebody else holds: a socket in a runner, a simulated one in the simulator.
 */
import { consoleReadersMax, heldConsoleBytesMax } from "../../shared/limits.ts";
import {
  type ConsoleMessage,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../shared/protocol/console.ts";
import type { Epoch } from "../../shared/protocol/record.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { ConsoleInput } from "../replay/log-entry.ts";
import { ConsoleHistory } from "./console-history.ts";

/** A reader that does not read is hung up on, and may come back for what is kept. */
const readerQueueBytesMax = 4 * 1024 * 1024;

/** The way to one reader: messages in order, until one side ends it. */
export interface ReaderConnection {
  /** Bytes that wait for the reader to read. */
  readonly queuedBytes: number;
  send(message: Uint8Array): void;
  /** Ends the connection after what was sent. */
  end(): void;
}

/** What the service knows a connection by. */
export interface Reader {
  readonly connection: ReaderConnection;
  /** Set by the reader's first message. */
  writer: number | null;
}

/** A reader said something that none says: its connection is of no use any more. */
export class ConsoleReaderError extends Error {
  override readonly name = "ConsoleReaderError";
}

export interface ConsoleServiceOptions {
  /** A reader typed on the primary's console. */
  readonly onInput: (input: ConsoleInput) => void;
}

export class ConsoleService {
  readonly #options: ConsoleServiceOptions;
  readonly #history = new ConsoleHistory();
  readonly #readers = new Set<Reader>();
  /** Of the guest, whose primary this is; null: this is none. */
  #life: Epoch | null = null;

  constructor(options: ConsoleServiceOptions) {
    this.#options = options;
  }

  /** Named primary in this life of the guest: what was remembered may be seen. */
  becomePrimary(life: Epoch): void {
    this.#life = life;
    this.#history.showAll();
  }

  /** Handed over: readers go to the other half. */
  resign(): void {
    this.#life = null;
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
    if (output.kind !== "console") return;
    const { position, bytes } = output;
    this.#history.remember(position, bytes);
    this.#history.show(position + bytes.length);
    this.#tell({ kind: "output", position, bytes }, (reader) => reader.writer !== null);
  }

  /** A reader's connection, before its first message. */
  accept(connection: ReaderConnection): Reader {
    const reader: Reader = { connection, writer: null };
    this.#readers.add(reader);
    if (this.#readers.size > consoleReadersMax) this.#dismiss(reader);
    return reader;
  }

  /**
   * A whole message of a reader. Whoever holds the connection hangs up when this throws.
   *
   * @throws BytesError, ConsoleReaderError
   */
  receive(reader: Reader, message: Uint8Array): void {
    this.#onMessage(reader, decodeConsoleMessage(message));
  }

  /** The reader's connection is closed, whoever closed it. */
  leave(reader: Reader): void {
    this.#readers.delete(reader);
  }

  close(): void {
    for (const { connection } of this.#readers) connection.end();
  }

  #onMessage(reader: Reader, message: ConsoleMessage): void {
    const life = this.#life;
    if (life === null) {
      this.#dismiss(reader);
      return;
    }
    switch (message.kind) {
      case "attach":
        reader.writer = message.writer;
        this.#replay(reader, life, message.position);
        return;
      case "input": {
        const { position, bytes, accepted } = message;
        const { writer } = reader;
        if (writer === null) throw new ConsoleReaderError("console input before attach");
        this.#options.onInput({ kind: "console", writer, position, bytes, accepted });
        return;
      }
      default:
        throw new ConsoleReaderError(`a reader does not send ${message.kind}`);
    }
  }

  /** What the reader has missed, in pieces. */
  #replay(reader: Reader, life: Epoch, position: number | null): void {
    const missed = this.#history.from(position ?? 0);
    send(reader, { kind: "attached", life, position: missed.position });
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
