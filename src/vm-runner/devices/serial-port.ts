/**
 * The input side of one of v86's serial ports. v86 queues received bytes in an array without a
 * bound that its snapshots leave out. So the guest is fed as a real port feeds it, at most a FIFO
 * full of bytes and only when it has read the last ones; what waits, and what the guest has not
 * read yet, is state of ours, which a snapshot carries.
 */
import { assert } from "../../shared/assert.ts";
import type { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { ByteQueue } from "./byte-queue.ts";

/** The port's registers as v86 holds them; reading them changes nothing. */
export interface Uart {
  readonly lineStatus: number;
  readonly lineControl: number;
  readonly modemControl: number;
  receive(byte: number): void;
}

/** Depth of a 16550's receive FIFO. */
export const fifoBytes = 16;

const dataReady = 0x01;
const divisorAccess = 0x80;
const loopback = 0x10;

export class SerialPort {
  readonly #waiting: ByteQueue;
  /** What v86's own queue holds, byte by byte. */
  readonly #received = new ByteQueue(fifoBytes);

  constructor(inputBytesMax: number) {
    this.#waiting = new ByteQueue(inputBytesMax);
  }

  /** Bytes that can still be queued. */
  get room(): number {
    return this.#waiting.room;
  }

  /** The next `feed` will give the guest something. */
  get canFeed(): boolean {
    return this.#waiting.length > 0 && this.#received.length === 0;
  }

  /** Queues the bytes that fit, and says how many. */
  queue(bytes: Uint8Array): number {
    const accepted = bytes.subarray(0, this.room);
    for (const byte of accepted) this.#waiting.push(byte);
    return accepted.length;
  }

  /** Before a step: gives the guest the next bytes, if it has read all it was given. */
  feed(uart: Uart): void {
    const unread = this.#received.length > 0;
    assert(
      ((uart.lineStatus & dataReady) !== 0) === unread,
      `the serial port's line status ${uart.lineStatus} with ${this.#received.length} unread bytes`,
    );
    if (unread) return;
    for (let i = 0; i < fifoBytes && this.#waiting.length > 0; i++) {
      const byte = this.#waiting.shift();
      this.#received.push(byte);
      uart.receive(byte);
    }
  }

  /** The guest is about to read the port's data register. */
  onDataRead(uart: Uart): void {
    if ((uart.lineControl & divisorAccess) !== 0 || this.#received.length === 0) return;
    this.#received.shift();
  }

  /**
   * The guest is about to write the port's data register. In loopback mode the byte comes back as
   * input; false means that it is lost because the FIFO is full, and v86 must not see the write.
   */
  onDataWrite(uart: Uart, byte: number): boolean {
    if ((uart.modemControl & loopback) === 0 || (uart.lineControl & divisorAccess) !== 0)
      return true;
    if (this.#received.room === 0) return false;
    this.#received.push(byte & 0xff);
    return true;
  }

  save(writer: ByteWriter): void {
    this.#waiting.save(writer);
    this.#received.save(writer);
  }

  /** Into a fresh instance, before v86's own device state is restored over it. */
  restore(reader: ByteReader, uart: Uart): void {
    this.#waiting.restore(reader);
    this.#received.restore(reader);
    for (const byte of this.#received.toBytes()) uart.receive(byte);
  }
}
