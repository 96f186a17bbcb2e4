/**
 * One connection, as TLS over TCP gives it: bytes in order, whole or not at all. An altered byte
 * breaks it. A partition delays and loses nothing; a computer that died leaves the other end open
 * until that sends something to the same address and somebody else answers.
 */
import { assert } from "../../../src/shared/assert.ts";
import type { Node } from "../events.ts";
import type { Agenda } from "./clock.ts";
import type { Network } from "./network.ts";

/** How often a segment that cannot pass is tried again. */
const resendMs = 25;

export interface StreamHandlers {
  onData(bytes: Uint8Array): void;
  /** Once; not for the end that closed it itself. */
  onClosed(): void;
}

interface Segment {
  readonly atMs: number;
  readonly bytes: Uint8Array | "end";
}

export class StreamEnd {
  readonly node: Node;
  readonly #stream: Stream;
  handlers: StreamHandlers | null = null;
  /** False once this end was closed, by whomever. */
  open = true;
  /** On its way to this end. */
  readonly incoming: Segment[] = [];
  /** Arrived, and its process (which stands still) has not looked at it. */
  unreadBytes = 0;

  constructor(stream: Stream, node: Node) {
    this.#stream = stream;
    this.node = node;
  }

  /** What this end has sent and the other has not read. */
  get queuedBytes(): number {
    const { incoming, unreadBytes } = this.#stream.other(this);
    const sizes = incoming.map(({ bytes }) => (bytes === "end" ? 0 : bytes.length));
    return sizes.reduce((sum, size) => sum + size, unreadBytes);
  }

  send(bytes: Uint8Array): void {
    if (this.open) this.#stream.push(this, bytes);
  }

  /** Hangs up; what was sent before still arrives. */
  end(): void {
    if (!this.open) return;
    this.open = false;
    this.#stream.push(this, "end");
  }

  /** The process ended: its system closes the connection, and may drop what it had not sent. */
  kill(dropUnsent: boolean): void {
    if (!this.open) return;
    if (dropUnsent) this.#stream.drop(this);
    this.end();
  }

  /** The computer died: nobody says anything any more. */
  vanish(): void {
    this.open = false;
  }
}

export class Stream {
  readonly ends: readonly [StreamEnd, StreamEnd];
  readonly #network: Network;
  readonly #agenda: Agenda;

  constructor(network: Network, agenda: Agenda, [a, b]: readonly [Node, Node]) {
    this.#network = network;
    this.#agenda = agenda;
    this.ends = [new StreamEnd(this, a), new StreamEnd(this, b)];
  }

  get isOpen(): boolean {
    return this.ends[0].open || this.ends[1].open;
  }

  touches(node: Node): boolean {
    return this.ends[0].node === node || this.ends[1].node === node;
  }

  push(from: StreamEnd, bytes: Uint8Array | "end"): void {
    const to = this.other(from);
    const ms = this.#network.segmentMs(from.node, to.node);
    const before = to.incoming.at(-1)?.atMs ?? 0;
    const atMs = Math.max(before, this.#agenda.nowMs + ms);
    to.incoming.push({ atMs, bytes });
    if (to.incoming.length === 1) this.#pump(to);
  }

  /** Forgets what was sent and has not arrived. */
  drop(from: StreamEnd): void {
    this.other(from).incoming.splice(1);
  }

  /** Both ends see the connection break. Of what is on its way, the first bytes still arrive. */
  cut(share: number): void {
    for (const end of this.ends) {
      const pending = end.incoming.splice(0).flatMap(({ bytes }) => (bytes === "end" ? [] : bytes));
      const total = pending.reduce((sum, bytes) => sum + bytes.length, 0);
      this.#arriveSome(end, pending, Math.floor(total * share));
    }
    for (const end of this.ends) this.#break(end);
  }

  #arriveSome(end: StreamEnd, pending: readonly Uint8Array[], bytesMax: number): void {
    let left = bytesMax;
    for (const bytes of pending) {
      if (left <= 0 || !end.open) return;
      end.handlers?.onData(bytes.subarray(0, left));
      left -= bytes.length;
    }
  }

  #break(end: StreamEnd): void {
    if (!end.open) return;
    end.open = false;
    end.handlers?.onClosed();
  }

  #pump(to: StreamEnd): void {
    const head = to.incoming[0];
    if (head === undefined) return;
    this.#agenda.after(Math.max(0, head.atMs - this.#agenda.nowMs), () => this.#arrive(to, head));
  }

  #arrive(to: StreamEnd, head: Segment): void {
    // Cut or dropped meanwhile.
    if (to.incoming[0] !== head) return;
    const from = this.other(to);
    if (!this.#network.passes(from.node, to.node)) {
      if (this.isOpen) this.#agenda.after(resendMs, () => this.#arrive(to, head));
      return;
    }
    if (this.#network.takeCorruption(from.node, to.node)) {
      this.cut(0);
      return;
    }
    to.incoming.shift();
    this.#deliver(from, to, head.bytes);
    this.#pump(to);
  }

  #deliver(from: StreamEnd, to: StreamEnd, bytes: Uint8Array | "end"): void {
    if (!to.open) {
      // Nobody has this connection any more: the sender is told.
      this.#break(from);
      return;
    }
    if (bytes === "end") {
      this.#break(to);
      return;
    }
    const split = this.#network.splitAt(bytes.length);
    if (split > 0) to.handlers?.onData(bytes.subarray(0, split));
    if (to.open) to.handlers?.onData(bytes.subarray(split));
  }

  /** The end on the other side. */
  other(end: StreamEnd): StreamEnd {
    assert(end === this.ends[0] || end === this.ends[1], "an end of another stream");
    return end === this.ends[0] ? this.ends[1] : this.ends[0];
  }
}
