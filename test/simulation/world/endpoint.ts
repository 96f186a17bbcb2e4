/**
 * A runner's connections: what `src/vm-runner/wire/endpoint.ts` does with sockets, over simulated
 * streams. The same framing and the same codecs; the first message says what a connection is for.
 */

import { BytesError } from "../../../src/shared/bytes.ts";
import { FrameReader, FramingError, frame } from "../../../src/shared/framing.ts";
import { messageBytesMax } from "../../../src/shared/limits.ts";
import { consoleMessageBytesMax, consoleTagMin } from "../../../src/shared/protocol/console.ts";
import {
  ConsoleReaderError,
  type ConsoleService,
} from "../../../src/vm-runner/console/console-service.ts";
import type { Link } from "../../../src/vm-runner/failover/pair-types.ts";
import {
  decodeMessage,
  encodeMessage,
} from "../../../src/vm-runner/logging-channel/message-codec.ts";
import type { ChannelMessage } from "../../../src/vm-runner/logging-channel/messages.ts";
import type { Agenda } from "./clock.ts";
import type { Random } from "./random.ts";
import type { StreamEnd } from "./stream.ts";

/** Compressing one part of a snapshot takes up to this long; the log does not wait for it. */
const packMsMax = 4;

export interface EndpointEvents {
  onMessage(link: Link, message: ChannelMessage): void;
  onClosed(link: Link): void;
  onChunkSent(id: number): void;
  /** The peer broke the format. */
  onBadPeer(): void;
}

interface OpenLink {
  readonly end: StreamEnd;
  /** Snapshot parts leave one after the other, the last one at this time. */
  packedMs: number;
}

export class SimulatedEndpoint {
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #console: ConsoleService;
  readonly #events: EndpointEvents;
  readonly #links = new Map<Link, OpenLink>();
  readonly #ends = new Set<StreamEnd>();
  #nextLink: Link = 1;

  constructor(agenda: Agenda, random: Random, console: ConsoleService, events: EndpointEvents) {
    this.#agenda = agenda;
    this.#random = random;
    this.#console = console;
    this.#events = events;
  }

  /** A connection that this runner dialled: it belongs to the logging channel. */
  dialled(end: StreamEnd): Link {
    this.#ends.add(end);
    return this.#openLink(end);
  }

  /** A connection that somebody else made. */
  accept(end: StreamEnd): void {
    this.#ends.add(end);
    let seen = new Uint8Array(0);
    end.handlers = {
      onData: (bytes) => {
        seen = joined(seen, bytes);
        // A frame's length comes before its tag.
        const tag = seen[4];
        if (tag === undefined) return;
        if (tag >= consoleTagMin) this.#openReader(end);
        else this.#openLink(end);
        end.handlers?.onData(seen);
      },
      onClosed: () => this.#ends.delete(end),
    };
  }

  send(link: Link, message: ChannelMessage): void {
    const open = this.#links.get(link);
    if (open === undefined) return;
    const framed = frame(encodeMessage(message));
    if (message.kind !== "snapshotChunk" && message.kind !== "snapshotEnd") {
      open.end.send(framed);
      return;
    }
    const { nowMs } = this.#agenda;
    open.packedMs = Math.max(open.packedMs, nowMs) + packMsMax * this.#random();
    this.#agenda.after(open.packedMs - nowMs, () => {
      open.end.send(framed);
      if (message.kind !== "snapshotChunk" || this.#links.get(link) !== open) return;
      this.#events.onChunkSent(message.id);
    });
  }

  hangUp(link: Link): void {
    const open = this.#links.get(link);
    this.#links.delete(link);
    open?.end.end();
  }

  /** The process ended; `silent`: with its computer. */
  die(silent: boolean): void {
    for (const end of this.#ends) {
      if (silent) end.vanish();
      else end.kill(this.#random() < 0.3);
    }
  }

  #openLink(end: StreamEnd): Link {
    const link = this.#nextLink++;
    const reader = new FrameReader(messageBytesMax);
    this.#links.set(link, { end, packedMs: 0 });
    const closed = () => {
      this.#ends.delete(end);
      if (this.#links.delete(link)) this.#events.onClosed(link);
    };
    const take = (bytes: Uint8Array) => {
      for (const message of reader.push(bytes)) {
        // After hanging up, what was still on its way is of no interest.
        if (!this.#links.has(link)) return;
        this.#events.onMessage(link, decodeMessage(message));
      }
    };
    end.handlers = {
      onData: (bytes) => this.#understand(end, () => take(bytes), closed),
      onClosed: closed,
    };
    return link;
  }

  #openReader(end: StreamEnd): void {
    const frames = new FrameReader(consoleMessageBytesMax);
    const reader = this.#console.accept({
      queuedBytes: 0,
      send: (message) => end.send(frame(message)),
      end: () => end.end(),
    });
    const closed = () => {
      this.#ends.delete(end);
      this.#console.leave(reader);
    };
    const take = (bytes: Uint8Array) => {
      for (const message of frames.push(bytes))
        if (end.open) this.#console.receive(reader, message);
    };
    end.handlers = {
      onData: (bytes) => this.#understand(end, () => take(bytes), closed),
      onClosed: closed,
    };
  }

  /** A peer that breaks the format is hung up on. */
  #understand(end: StreamEnd, take: () => void, closed: () => void): void {
    try {
      take();
    } catch (error) {
      if (!isPeersFault(error)) throw error;
      this.#events.onBadPeer();
      end.end();
      closed();
    }
  }
}

function isPeersFault(error: unknown): boolean {
  return (
    error instanceof BytesError ||
    error instanceof FramingError ||
    error instanceof ConsoleReaderError
  );
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
