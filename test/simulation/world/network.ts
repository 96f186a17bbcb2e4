/**
 * The network between computers: datagrams that are lost, doubled and overtaken, and streams that
 * keep their order but may be late, cut at any byte, or half-open after a computer died.
 */

import type { Node } from "../events.ts";
import type { NetworkTrouble } from "../scenario.ts";
import type { Agenda } from "./clock.ts";
import { below, type Random } from "./random.ts";
import { Stream, type StreamEnd } from "./stream.ts";

/** A lost segment of a stream is sent again after so long, at most. */
const resendMsMax = 60;
/** A duplicated or overtaken datagram is late by at most this. */
const lateMsMax = 150;

export class Network {
  readonly #agenda: Agenda;
  readonly #random: Random;
  #trouble: NetworkTrouble;
  /** How many faults block the way, by "from>to". */
  readonly #blocked = new Map<string, number>();
  readonly #delays = new Map<string, number>();
  readonly #corrupted = new Set<string>();
  readonly #down = new Set<Node>();
  #streams: Stream[] = [];

  constructor(agenda: Agenda, random: Random, trouble: NetworkTrouble) {
    this.#agenda = agenda;
    this.#random = random;
    this.#trouble = trouble;
  }

  /** From now on nothing is lost, doubled or overtaken. */
  calm(): void {
    this.#trouble = { ...this.#trouble, lossShare: 0, duplicateShare: 0, reorderShare: 0 };
  }

  passes(from: Node, to: Node): boolean {
    return !this.#down.has(to) && !this.#down.has(from) && !this.#blocked.has(`${from}>${to}`);
  }

  /** The computer is gone, or is back. */
  setUp(node: Node, up: boolean): void {
    if (up) this.#down.delete(node);
    else this.#down.add(node);
  }

  block(from: Node, to: Node): void {
    const way = `${from}>${to}`;
    this.#blocked.set(way, (this.#blocked.get(way) ?? 0) + 1);
  }

  unblock(from: Node, to: Node): void {
    const way = `${from}>${to}`;
    const left = (this.#blocked.get(way) ?? 1) - 1;
    if (left > 0) this.#blocked.set(way, left);
    else this.#blocked.delete(way);
  }

  delay(from: Node, to: Node, ms: number): void {
    const way = `${from}>${to}`;
    this.#delays.set(way, (this.#delays.get(way) ?? 0) + ms);
  }

  corruptNext(from: Node, to: Node): void {
    this.#corrupted.add(`${from}>${to}`);
  }

  /** Whether what goes this way now arrives altered; once for each time it was wanted. */
  takeCorruption(from: Node, to: Node): boolean {
    return this.#corrupted.size > 0 && this.#corrupted.delete(`${from}>${to}`);
  }

  /** How long something takes that goes this way now. */
  latencyMs(from: Node, to: Node): number {
    const { latencyMs, jitterMs } = this.#trouble;
    const more = this.#delays.size === 0 ? 0 : (this.#delays.get(`${from}>${to}`) ?? 0);
    return latencyMs + jitterMs * this.#random() + more;
  }

  /** Latency of a stream's segment, with what its resending takes. */
  segmentMs(from: Node, to: Node): number {
    const lost = this.#random() < this.#trouble.lossShare;
    return this.latencyMs(from, to) + (lost ? resendMsMax * this.#random() : 0);
  }

  /** An altered datagram is dropped: it is authenticated. */
  datagram(from: Node, to: Node, deliver: () => void): void {
    const { lossShare, duplicateShare, reorderShare } = this.#trouble;
    if (this.#random() < lossShare || this.takeCorruption(from, to)) return;
    const late = this.#random() < reorderShare ? lateMsMax * this.#random() : 0;
    this.#later(from, to, this.latencyMs(from, to) + late, deliver);
    if (this.#random() >= duplicateShare) return;
    this.#later(from, to, this.latencyMs(from, to) + lateMsMax * this.#random(), deliver);
  }

  /** An established connection, its two ends in the order of the arguments. */
  connect(a: Node, b: Node): readonly [StreamEnd, StreamEnd] {
    const stream = new Stream(this, this.#agenda, [a, b]);
    this.#streams.push(stream);
    return stream.ends;
  }

  /** Breaks all connections of `node`; of what is on its way this share still arrives. */
  cut(node: Node, share: number): void {
    for (const stream of this.#openStreams()) if (stream.touches(node)) stream.cut(share);
  }

  /** How much of the bytes that arrive next come in a first piece of their own. */
  splitAt(length: number): number {
    return this.#random() < 0.05 ? below(this.#random, length) : 0;
  }

  #later(from: Node, to: Node, ms: number, deliver: () => void): void {
    this.#agenda.after(ms, () => {
      if (this.passes(from, to)) deliver();
    });
  }

  #openStreams(): readonly Stream[] {
    this.#streams = this.#streams.filter((stream) => stream.isOpen);
    return this.#streams;
  }
}
