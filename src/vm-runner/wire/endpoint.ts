/**
 * The runner's port: one TLS-PSK listener for the logging channel and for console readers (the
 * first message says which), and the dial to the peer. Connections of the channel get a number,
 * the link, by which the core knows them.
 */
import tls, { type TLSSocket } from "node:tls";
import { Connection } from "../../platform/connection.ts";
import { isWrongKey, pskClientOptions, pskServerOptions } from "../../platform/psk.ts";
import type { WriteTurn } from "../../platform/write-turn.ts";
import { messageBytesMax } from "../../shared/limits.ts";
import { consoleTagMin } from "../../shared/protocol/console.ts";
import type { Nonce } from "../../shared/protocol/record.ts";
import type { Link } from "../failover/pair-types.ts";
import { decodeMessage, encodeMessage } from "../logging-channel/message-codec.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import { placeText } from "./peer-places.ts";
import { pack, unpack } from "./snapshot-compression.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface EndpointOptions {
  readonly vm: string;
  readonly key: Uint8Array;
  readonly listen: Address;
  /** The address that is dialled from; null: the system chooses. */
  readonly dialFrom: string | null;
  /** A dial without an answer for so long, or somebody who says nothing, is hung up on. */
  readonly timeoutMs: number;
  readonly turn: WriteTurn;
  readonly onMessage: (link: Link, message: ChannelMessage) => void;
  readonly onClosed: (link: Link) => void;
  readonly onDialled: (link: Link) => void;
  readonly onDialFailed: (refused: boolean, problem: string) => void;
  /** A runner of our VM has said who it is, from `host`. */
  readonly onPeer: (nonce: Nonce, host: string) => void;
  /** The peer does not know our key; a failed dial is told as well. */
  readonly onWrongKey: (problem: string) => void;
  /** The last snapshot chunk has left. */
  readonly onChunkSent: (id: number, bytes: number) => void;
  /** A connection that broke the format, or had the wrong key. */
  readonly onBadPeer: (problem: string) => void;
  /** A console reader, from its first message on; whoever takes it takes the connection. */
  readonly onConsole: (socket: TLSSocket) => void;
}

interface OpenLink {
  readonly connection: Connection;
  /** Snapshot parts are compressed one after the other, aside from the log. */
  packing: Promise<void>;
}

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #server: tls.Server;
  readonly #links = new Map<Link, OpenLink>();
  #nextLink: Link = 1;

  constructor(options: EndpointOptions) {
    this.#options = options;
    const keys = new Map([[options.vm, options.key]]);
    this.#server = tls.createServer(pskServerOptions(keys), (socket) => this.#accept(socket));
    this.#server.on("tlsClientError", (error) => {
      options.onBadPeer(`TLS handshake failed: ${error.message}`);
    });
  }

  /** Rejects with the system's error when the address cannot be had. */
  async listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Tries to connect to the peer at `place` once; one of the two outcomes is told, once. */
  dial(place: Address): void {
    const { vm, key, dialFrom, timeoutMs, onDialled, onDialFailed, onWrongKey } = this.#options;
    const from = dialFrom === null ? {} : { localAddress: dialFrom };
    const socket = tls.connect({ ...pskClientOptions(vm, key), ...place, ...from });
    let problem: (Error & { code?: string }) | null = null;
    const onError = (error: Error) => {
      problem = error;
    };
    const onClose = () => {
      const wrongKey = problem !== null && isWrongKey(problem);
      const who = `the peer at ${placeText(place)}`;
      const reason = wrongKey ? `${who} has another key than ours for VM ${vm}, or none` : null;
      onDialFailed(problem?.code === "ECONNREFUSED", reason ?? problem?.message ?? "hung up");
      if (reason !== null) onWrongKey(reason);
    };
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("no answer")));
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("secureConnect", () => {
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.setTimeout(0);
      const link = this.#nextLink++;
      this.#open(link, socket);
      onDialled(link);
    });
  }

  /** Gives the bytes that go out at once; 0 for snapshot parts, which are packed first. */
  send(link: Link, message: ChannelMessage): number {
    const open = this.#links.get(link);
    if (open === undefined) return 0;
    switch (message.kind) {
      case "snapshotChunk":
        this.#sendPacked(open, link, message);
        return 0;
      case "snapshotEnd":
        open.packing = open.packing.then(() => {
          open.connection.send(encodeMessage(message));
        });
        return 0;
      default:
        return open.connection.send(encodeMessage(message));
    }
  }

  hangUp(link: Link): void {
    const open = this.#links.get(link);
    this.#links.delete(link);
    open?.connection.end();
  }

  close(): void {
    this.#server.close();
    for (const link of [...this.#links.keys()]) this.hangUp(link);
  }

  #sendPacked(
    open: OpenLink,
    link: Link,
    chunk: Extract<ChannelMessage, { kind: "snapshotChunk" }>,
  ): void {
    open.packing = open.packing.then(async () => {
      const bytes = await pack(chunk.bytes);
      open.connection.send(encodeMessage({ ...chunk, bytes }), () => {
        if (this.#links.has(link)) this.#options.onChunkSent(chunk.id, bytes.length);
      });
    });
  }

  /** The first message tells what the connection is for; who says nothing is hung up on. */
  #accept(socket: TLSSocket): void {
    const { onConsole, timeoutMs } = this.#options;
    const silence = setTimeout(() => socket.destroy(), timeoutMs);
    const ignore = () => {};
    socket.on("error", ignore);
    socket.once("close", () => clearTimeout(silence));
    void firstTag(socket).then((tag) => {
      clearTimeout(silence);
      if (tag === null) return;
      socket.off("error", ignore);
      if (tag >= consoleTagMin) onConsole(socket);
      else this.#open(this.#nextLink++, socket);
      socket.resume();
    });
  }

  #open(link: Link, socket: TLSSocket): void {
    const { vm, onMessage, onClosed, onBadPeer, onPeer, turn } = this.#options;
    // A socket that was closed meanwhile knows its other side no more.
    const host = socket.remoteAddress ?? null;
    const events = {
      onMessage: (bytes: Uint8Array) => {
        // After hanging up, what was still on its way is of no interest.
        if (!this.#links.has(link)) return;
        const message = decodeMessage(bytes);
        const nonce = message.kind === "hello" && message.vm !== vm ? null : senderOf(message);
        if (nonce !== null && host !== null) onPeer(nonce, host);
        if (message.kind !== "snapshotChunk") onMessage(link, message);
        else onMessage(link, { ...message, bytes: unpack(message.bytes) });
      },
      onClosed: (problem: string | null) => {
        if (problem !== null) onBadPeer(problem);
        if (this.#links.delete(link)) onClosed(link);
      },
    };
    const connection = new Connection(socket, messageBytesMax, events, turn);
    this.#links.set(link, { connection, packing: Promise.resolve() });
  }
}

/** Who says in `message` who it is; null: it does not. */
function senderOf(message: ChannelMessage): Nonce | null {
  return message.kind === "hello" || message.kind === "welcome" ? message.nonce : null;
}

/** A frame's length comes before its tag. */
const tagAt = 4;

/** The tag of the first message, which stays in the paused socket; null when none came. */
function firstTag(socket: TLSSocket): Promise<number | null> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const take = (piece: Buffer) => {
      seen = Buffer.concat([seen, piece]);
      const tag = seen[tagAt];
      if (tag === undefined) return;
      socket.off("data", take);
      socket.pause();
      socket.unshift(seen);
      resolve(tag);
    };
    socket.on("data", take);
    socket.once("close", () => resolve(null));
  });
}
