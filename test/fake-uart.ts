/** A serial port as v86 has it, for tests: a queue without a bound. */
import type { SerialPort, Uart } from "../src/vm-runner/devices/serial-port.ts";

export class FakeUart implements Uart {
  lineControl = 0;
  modemControl = 0;
  readonly #port: SerialPort;
  readonly #queue: number[] = [];

  constructor(port: SerialPort) {
    this.#port = port;
  }

  get lineStatus(): number {
    return this.#queue.length > 0 ? 1 : 0;
  }

  receive(byte: number): void {
    this.#queue.push(byte);
  }

  /** The guest reads the data register `count` times. */
  read(count: number): string {
    let text = "";
    for (let i = 0; i < count; i++) {
      this.#port.onDataRead(this);
      text += String.fromCharCode(this.#queue.shift() ?? 0);
    }
    return text;
  }

  readAll(): string {
    return this.read(this.#queue.length);
  }

  /** The guest writes the data register. */
  write(byte: number): void {
    const isLoopback = (this.modemControl & 0x10) !== 0;
    if (this.#port.onDataWrite(this, byte) && isLoopback) this.receive(byte);
  }
}
