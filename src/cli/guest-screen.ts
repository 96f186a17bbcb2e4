/**
 * The terminal while it shows the guest's console. What Lockstep itself has to say appears only
 * between the guest's characters, never inside one of its escape sequences.
 */

export interface TextSink {
  write(data: Uint8Array | string): unknown;
}

/** ground: plain text. escape: after ESC. csi: up to a final byte. string: up to BEL or ESC \. */
type Parsing = "ground" | "escape" | "csi" | "string";

const bel = 0x07;
const esc = 0x1b;

export class GuestScreen {
  readonly #sink: TextSink;
  #parsing: Parsing = "ground";
  #atLineStart = true;
  #waiting: string[] = [];
  #title = "";

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  show(bytes: Uint8Array): void {
    for (const byte of bytes) this.#parsing = next(this.#parsing, byte);
    const last = bytes.at(-1);
    if (last !== undefined) this.#atLineStart = last === 0x0a;
    this.#sink.write(bytes);
    this.#flush();
  }

  /** A line of ours, on a line of its own, dimmed. */
  notice(text: string): void {
    this.#waiting.push(text);
    this.#flush();
  }

  /** The title of the terminal's window. */
  title(text: string): void {
    if (text === this.#title || this.#parsing !== "ground") return;
    this.#title = text;
    this.#sink.write(`\x1b]2;${text}\x07`);
  }

  #flush(): void {
    if (this.#parsing !== "ground") return;
    for (const text of this.#waiting) {
      this.#sink.write(`${this.#atLineStart ? "\r" : "\r\n"}\x1b[2m[lockstep] ${text}\x1b[22m\r\n`);
      this.#atLineStart = true;
    }
    this.#waiting = [];
  }
}

/** After ECMA-48, as far as terminals need it to find the end of a sequence. */
function next(parsing: Parsing, byte: number): Parsing {
  if (byte === esc) return "escape";
  switch (parsing) {
    case "ground":
      return "ground";
    case "escape":
      if (byte === 0x5b) return "csi";
      if ([0x5d, 0x50, 0x58, 0x5e, 0x5f].includes(byte)) return "string";
      return byte >= 0x20 && byte <= 0x2f ? "escape" : "ground";
    case "csi":
      return byte >= 0x40 && byte <= 0x7e ? "ground" : "csi";
    case "string":
      return byte === bel ? "ground" : "string";
  }
}
