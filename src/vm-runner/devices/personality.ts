/**
 * The second serial port, by which a guest that was booted once and is shared by many VMs learns
 * which VM it is: it asks `personality?` and is told a seed for its own random number generator. A
 * guest that has asked, before a start input has come, is at the end of the shared boot.
 */
import type { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { RandomStream, seedBytes, streams } from "../machine/random.ts";
import { SerialPort, type Uart } from "./serial-port.ts";

const question = "personality?";
const inputBytesMax = 256;

export class PersonalityDevice {
  readonly port = new SerialPort(inputBytesMax);
  /** The end of the line being written, as long as the question at most. */
  #line = "";
  #asked = false;
  /** What the guest is told; null before the start input. */
  #seed: Uint8Array | null = null;

  /** The guest waits for the start input. */
  get isAwaited(): boolean {
    return this.#asked;
  }

  /** The guest's seed is another one than the machine's: a guest must not know what RDRAND says. */
  start(machineSeed: Uint8Array): void {
    const stream = new RandomStream();
    stream.seed(machineSeed, streams.personality);
    this.#seed = stream.bytes(seedBytes);
    this.#answer();
  }

  onOutputByte(byte: number): void {
    const character = String.fromCharCode(byte);
    if (character === "\r") return;
    if (character !== "\n") {
      this.#line = (this.#line + character).slice(-question.length);
      return;
    }
    this.#asked ||= this.#line === question;
    this.#line = "";
    this.#answer();
  }

  save(writer: ByteWriter): void {
    writer.varint(this.#line.length);
    for (let i = 0; i < this.#line.length; i++) writer.u8(this.#line.charCodeAt(i));
    writer.u8(this.#asked ? 1 : 0);
    writer.u8(this.#seed === null ? 0 : 1);
    if (this.#seed !== null) writer.bytes(this.#seed);
    this.port.save(writer);
  }

  restore(reader: ByteReader, uart: Uart): void {
    this.#line = String.fromCharCode(...reader.view(reader.varint()));
    this.#asked = reader.u8() === 1;
    this.#seed = reader.u8() === 1 ? reader.bytes(seedBytes) : null;
    this.port.restore(reader, uart);
  }

  #answer(): void {
    if (!this.#asked || this.#seed === null) return;
    this.#asked = false;
    const hex = [...this.#seed].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const answer = `personality seed=${hex}\n`;
    this.port.queue(Uint8Array.from(answer, (character) => character.charCodeAt(0)));
  }
}
