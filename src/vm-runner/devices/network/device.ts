/**
 * The network card, as far as it is ours: v86 has the PCI device, its registers and the state of
 * its queues; what moves between the queues and the log is here. Frames from outside go into the
 * guest's buffers when their entry is delivered, all of them with one interrupt. Frames of the guest
 * are taken when its driver notifies the card, and leave with the outputs of the step.
 *
 * The position of the gateway's frames and the number of frames sent are part of the guest's state:
 * by them nothing is lost or doubled when either side sends again after a failover.
 */
import { assert } from "../../../shared/assert.ts";
import { type ByteReader, type ByteWriter, bytesIn } from "../../../shared/bytes.ts";
import { crc32c } from "../../../shared/crc32c.ts";
import { isFrame } from "../../../shared/ethernet.ts";
import {
  egressPerStepBytesMax,
  egressPerStepFramesMax,
  frameBytesMax,
} from "../../../shared/limits.ts";
import type { EgressOutput, IngressPosition } from "../../machine/machine.ts";
import type { IngressInput } from "../../replay/log-entry.ts";
import { announcementOf, type GuestAddress, learnAddress } from "./announcement.ts";
import { freshFrames } from "./fresh-frames.ts";
import { headerBytes, receiveHeader, sentFrame } from "./virtio-header.ts";
import {
  availableChains,
  type GuestMemory,
  gather,
  returnChain,
  scatter,
  takeChain,
  type Virtqueue,
  wantsInterrupt,
} from "./virtqueue.ts";

/** The card of the running instance of v86. */
export interface Card {
  /** The driver has said that it is set up (DRIVER_OK). */
  readonly isDriverReady: boolean;
  /** The first 32 feature bits that the driver has accepted. */
  readonly acceptedFeatures: number;
  readonly receive: Virtqueue;
  readonly transmit: Virtqueue;
  readonly memory: GuestMemory;
  /** Tells the driver that buffers were given back. */
  interrupt(): void;
}

/** Frames that went nowhere, as part of the guest's state. */
export interface FrameCounters {
  /** From outside: too short or too long for an Ethernet. */
  malformedIngress: number;
  /** From the guest: as above, or not as the virtio header says. */
  malformedEgress: number;
  /** From outside: the driver had no buffer, or one that was too short. */
  withoutBuffer: number;
  /** From outside: taken already, and sent again. */
  repeated: number;
}

const counterNames = [
  "malformedIngress",
  "malformedEgress",
  "withoutBuffer",
  "repeated",
] as const satisfies readonly (keyof FrameCounters)[];
const macBytes = 6;
const ipv4Bytes = 4;

export class NetworkDevice {
  readonly counters: FrameCounters = {
    malformedIngress: 0,
    malformedEgress: 0,
    withoutBuffer: 0,
    repeated: 0,
  };
  #mac: Uint8Array | null = null;
  #address: GuestAddress | null = null;
  #ingress: IngressPosition | null = null;
  /** Frames ever sent, those of the running step not counted. */
  #sent = 0;
  #checksum = 0;
  /** The driver has notified, and was not served completely. */
  #isTransmitting = false;
  /** Frames are put together here; no part of the state. */
  readonly #scratch = new Uint8Array(headerBytes + frameBytesMax);
  /** What the guest has sent in the running step, frame after frame, and how many chains that took. */
  readonly #frames = new Uint8Array(egressPerStepBytesMax + frameBytesMax);
  #framesBytes = 0;
  #lengths: number[] = [];
  #chains = 0;

  /** CRC32C of everything ever sent. */
  get checksum(): number {
    return this.#checksum;
  }

  get ingress(): IngressPosition | null {
    return this.#ingress;
  }

  get announcement(): Uint8Array | null {
    return this.#mac === null ? null : announcementOf(this.#mac, this.#address);
  }

  /** The next `transmit` will take frames that the guest has sent already. */
  get canTransmit(): boolean {
    return this.#isTransmitting;
  }

  /** The card has this address now. */
  start(mac: Uint8Array): void {
    assert(mac.length === macBytes, `a MAC address of ${mac.length} bytes`);
    this.#mac = mac.slice();
  }

  /** Frames for which the driver has made buffers available. */
  room(card: Card): number {
    return card.isDriverReady ? availableChains(card.receive, card.memory) : 0;
  }

  /** Gives the guest the frames that it has not got yet, as far as there are buffers. */
  input(input: IngressInput, card: Card): void {
    const { frames, repeated, position } = freshFrames(this.#ingress, input);
    this.counters.repeated += repeated;
    this.#ingress = position;
    const wellFormed = frames.filter(isFrame);
    this.counters.malformedIngress += frames.length - wellFormed.length;
    this.#receive(wellFormed, card);
  }

  /** Takes what the guest has sent, up to the bound of one step; the rest stays in the queue. */
  transmit(card: Card): void {
    const { transmit: queue, memory } = card;
    const waiting = card.isDriverReady ? availableChains(queue, memory) : 0;
    let taken = 0;
    while (taken < waiting && this.#mayTakeMore) {
      taken++;
      this.#chains++;
      const { head, readable } = takeChain(queue, memory);
      this.#send(readable);
      returnChain(queue, memory, head, 0);
    }
    this.#isTransmitting = taken < waiting;
    if (taken > 0 && wantsInterrupt(queue, memory)) card.interrupt();
  }

  /**
   * After a step: what the guest has sent, if anything. The frames are parts of one buffer, which
   * goes to another thread as it is.
   */
  takeOutput(): EgressOutput | null {
    const lengths = this.#lengths;
    const all = this.#frames.slice(0, this.#framesBytes);
    this.#lengths = [];
    this.#framesBytes = 0;
    this.#chains = 0;
    if (lengths.length === 0) return null;
    let end = 0;
    const frames = lengths.map((length) => {
      const frame = all.subarray(end, end + length);
      end += length;
      this.#checksum = crc32c(Uint8Array.of(length & 0xff, length >> 8), this.#checksum);
      this.#checksum = crc32c(frame, this.#checksum);
      return frame;
    });
    const first = this.#sent;
    this.#sent += frames.length;
    return { kind: "egress", first, frames };
  }

  save(writer: ByteWriter): void {
    assert(this.#chains === 0, "a snapshot is taken between steps, with the output taken");
    for (const address of [this.#mac, this.#address?.mac, this.#address?.ipv4]) {
      writer.u8(address ? 1 : 0);
      if (address) writer.bytes(address);
    }
    writer.u8(this.#ingress === null ? 0 : 1);
    if (this.#ingress !== null) {
      writer.u32(this.#ingress.gateway);
      writer.varint(this.#ingress.next);
    }
    writer.varint(this.#sent);
    writer.u32(this.#checksum);
    writer.u8(this.#isTransmitting ? 1 : 0);
    for (const name of counterNames) writer.varint(this.counters[name]);
  }

  restore(reader: ByteReader): void {
    const optional = (length: number) => (reader.u8() === 1 ? reader.bytes(length) : null);
    this.#mac = optional(macBytes);
    const mac = optional(macBytes);
    const ipv4 = optional(ipv4Bytes);
    this.#address = mac === null || ipv4 === null ? null : { mac, ipv4 };
    this.#ingress = reader.u8() === 1 ? { gateway: reader.u32(), next: reader.varint() } : null;
    this.#sent = reader.varint();
    this.#checksum = reader.u32();
    this.#isTransmitting = reader.u8() === 1;
    for (const name of counterNames) this.counters[name] = reader.varint();
  }

  get #mayTakeMore(): boolean {
    return this.#chains < egressPerStepFramesMax && this.#framesBytes < egressPerStepBytesMax;
  }

  #receive(frames: readonly Uint8Array[], card: Card): void {
    const { receive: queue, memory } = card;
    const given = Math.min(frames.length, this.room(card));
    this.counters.withoutBuffer += frames.length - given;
    this.#scratch.set(receiveHeader(card.acceptedFeatures));
    for (const frame of frames.slice(0, given)) {
      const { head, writable } = takeChain(queue, memory);
      const bytes = headerBytes + frame.length;
      const fits = bytesIn(writable) >= bytes;
      this.#scratch.set(frame, headerBytes);
      if (fits) scatter(memory, writable, this.#scratch.subarray(0, bytes));
      else this.counters.withoutBuffer++;
      returnChain(queue, memory, head, fits ? bytes : 0);
    }
    if (given > 0 && wantsInterrupt(queue, memory)) card.interrupt();
  }

  #send(buffers: readonly Uint8Array[]): void {
    const isBounded = bytesIn(buffers) <= this.#scratch.length;
    const frame = isBounded ? sentFrame(gather(buffers, this.#scratch)) : null;
    if (frame === null || !isFrame(frame)) {
      this.counters.malformedEgress++;
      return;
    }
    this.#address = learnAddress(this.#address, frame);
    this.#frames.set(frame, this.#framesBytes);
    this.#framesBytes += frame.length;
    this.#lengths.push(frame.length);
  }
}
