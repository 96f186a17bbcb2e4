/**
 * Each writer is a stream like TCP: the simulated guest echoes all that it reads, so the echoes must
 * be exactly what was typed, from the first byte on, in order, nothing lost and nothing twice.
 */
import { parseConsole } from "../machine/echoes.ts";
import { Violation } from "./checker.ts";

interface Writer {
  typed: string;
  echoed: number;
}

export class Writers {
  readonly #writers = new Map<number, Writer>();
  #line = "";

  typed(writer: number, bytes: Uint8Array): void {
    this.#writer(writer).typed += latin1(bytes);
  }

  /** The next bytes of the console, in order. */
  read(bytes: Uint8Array): void {
    const text = this.#line + latin1(bytes);
    const end = text.lastIndexOf("\n") + 1;
    this.#line = text.slice(end);
    if (end === 0) return;
    for (const echo of parseConsole(text.slice(0, end))) {
      this.#echoed(echo.writer, echo.position, echo.text);
    }
  }

  #echoed(number: number, position: number, text: string): void {
    const writer = this.#writer(number);
    const expected = writer.typed.slice(position, position + text.length);
    if (position !== writer.echoed) {
      const fate = position > writer.echoed ? "lost" : "echoed twice";
      throw new Violation(
        "consistency after failover",
        `the guest echoes ${JSON.stringify(text)} of writer ${number} at position ${position} after ${writer.echoed}: some bytes were ${fate}`,
      );
    }
    if (text !== expected) {
      throw new Violation(
        "consistency after failover",
        `the guest echoes ${JSON.stringify(text)} of writer ${number} at position ${position}, where ${JSON.stringify(expected)} was typed`,
      );
    }
    writer.echoed += text.length;
  }

  #writer(number: number): Writer {
    let writer = this.#writers.get(number);
    if (writer === undefined) {
      writer = { typed: "", echoed: 0 };
      this.#writers.set(number, writer);
    }
    return writer;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4_096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4_096));
  }
  return text;
}
