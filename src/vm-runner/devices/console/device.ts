/**
 * The serial console, as far as it is part of the guest's state: how much was ever printed (so that
 * readers who come back after a failover find their place), the last of it, the checksum of all of
 * it, and how far each writer's typing was taken (so that bytes sent again are not typed twice).
 */
import { assert } from "../../../shared/assert.ts";
import type { ByteReader, ByteWriter } from "../../../shared/bytes.ts";
import { crc32c } from "../../../shared/crc32c.ts";
import { consoleHistoryBytes, consoleInputBytesMax } from "../../../shared/limits.ts";
import type { ConsoleHistory, MachineOutput } from "../../machine/machine.ts";
import type { ConsoleInput } from "../../replay/log-entry.ts";
import { SerialPort, type Uart } from "../serial-port.ts";
import { ConsoleWriters } from "./writers.ts";

export class ConsoleDevice {
  readonly port = new SerialPort(consoleInputBytesMax);
  readonly #writers = new ConsoleWriters();
  /** The byte at position p of the output is at index p modulo the length. */
  readonly #history = new Uint8Array(consoleHistoryBytes);
  #position = 0;
  #checksum = 0;
  /** What the running step has printed. */
  #printed = new Uint8Array(256);
  #printedLength = 0;

  /** CRC32C of everything ever printed. */
  get checksum(): number {
    return this.#checksum;
  }

  input(input: ConsoleInput): void {
    // What finds no room is not taken, and its writer sends it again; the recorder avoids it by
    // asking for the room before it makes an entry.
    this.port.queue(this.#writers.take(input, this.port.room));
  }

  writerPosition(writer: number): number {
    return this.#writers.position(writer);
  }

  onOutputByte(byte: number): void {
    if (this.#printedLength === this.#printed.length) {
      const larger = new Uint8Array(2 * this.#printed.length);
      larger.set(this.#printed);
      this.#printed = larger;
    }
    this.#printed[this.#printedLength++] = byte;
  }

  /** After a step: what it has printed, if anything. */
  takeOutput(): MachineOutput | null {
    if (this.#printedLength === 0) return null;
    const bytes = this.#printed.slice(0, this.#printedLength);
    const output: MachineOutput = { kind: "console", position: this.#position, bytes };
    this.#printedLength = 0;
    this.#checksum = crc32c(bytes, this.#checksum);
    for (const byte of bytes) this.#history[this.#position++ % consoleHistoryBytes] = byte;
    return output;
  }

  history(): ConsoleHistory {
    const length = Math.min(this.#position, consoleHistoryBytes);
    const position = this.#position - length;
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      // SAFETY: the index is taken modulo the length.
      bytes[i] = this.#history[(position + i) % consoleHistoryBytes] as number;
    }
    return { position, bytes };
  }

  save(writer: ByteWriter): void {
    assert(this.#printedLength === 0, "a snapshot is taken between steps, with the output taken");
    writer.varint(this.#position);
    writer.u32(this.#checksum);
    writer.bytes(this.history().bytes);
    this.#writers.save(writer);
    this.port.save(writer);
  }

  restore(reader: ByteReader, uart: Uart): void {
    this.#position = reader.varint();
    this.#checksum = reader.u32();
    const length = Math.min(this.#position, consoleHistoryBytes);
    const start = this.#position - length;
    for (let i = 0; i < length; i++) this.#history[(start + i) % consoleHistoryBytes] = reader.u8();
    this.#writers.restore(reader);
    this.port.restore(reader, uart);
  }
}
