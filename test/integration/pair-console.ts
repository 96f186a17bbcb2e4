/**
 * Reads and types on a pair's console as an outside judge: it holds a connection to both halves all
 * the time, puts what each shows at its position, and keeps what contradicts: a byte that is
 * missing, or a position at which two lives showed different bytes.
 */
import tls from "node:tls";
import { expect } from "@jest/globals";
import { pskClientOptions } from "../../src/platform/psk.ts";
import { FrameReader, frame } from "../../src/shared/framing.ts";
import {
  type ConsoleMessage,
  consoleMessageBytesMax,
  decodeConsoleMessage,
  encodeConsoleMessage,
} from "../../src/shared/protocol/console.ts";
import type { PairProcesses } from "./pair-processes.ts";

const retryMs = 100;
/** Typed without waiting for the guest; each line is so long. */
const lineBytes = 12;

export class ConsoleJudge {
  /** What must never happen, in words. */
  readonly problems: string[] = [];
  readonly #pair: PairProcesses;
  readonly #writer = 7;
  readonly #attached = new Map<number, Attached>();
  /** Position of the first byte shown: a guest from a boot snapshot has printed before. */
  #start: number | null = null;
  #shown = "";
  #typed = "";
  #accepted = 0;
  #typing = false;
  #closed = false;

  constructor(pair: PairProcesses) {
    this.#pair = pair;
    for (const { port } of pair.places) this.#connect(port);
  }

  /** Everything shown so far. */
  get shown(): string {
    return this.#shown;
  }

  get typed(): string {
    return this.#typed;
  }

  /** Position of the next byte wanted. */
  get #end(): number {
    return (this.#start ?? 0) + this.#shown.length;
  }

  type(text: string): void {
    this.#typed += text;
    for (const attached of this.#attached.values()) this.#send(attached);
  }

  /** Types on and on: the next letter as soon as the last one is accepted. */
  startTyping(): void {
    this.#typing = true;
    this.type(nextLetter(this.#typed.length));
  }

  close(): void {
    this.#closed = true;
    for (const { socket } of this.#attached.values()) socket.destroy();
  }

  /** Something new was printed after this call. */
  async untilMore(lines = 3): Promise<void> {
    const from = this.#shown.length;
    await this.#pair.until("the guest prints on", () => {
      return this.#shown.slice(from).split("\n").length > lines;
    });
  }

  async untilShown(what: RegExp): Promise<void> {
    try {
      await this.#pair.until(`the console shows ${what}`, () => what.test(this.#shown));
    } catch (cause) {
      throw new Error(`the console shows no ${what}, but: ${this.#shown.slice(-1_000)}`, { cause });
    }
  }

  /** Everything typed was echoed by the tiny guest. */
  untilEchoed(): Promise<boolean> {
    return this.#pair.until(
      "everything typed is echoed",
      () => readTiny(this.#shown).echoed.length >= this.#typed.length,
    );
  }

  /** The tiny guest: waits for the echo of all that was typed, then judges all that was shown. */
  async expectWhole(): Promise<void> {
    this.#typing = false;
    await this.untilEchoed();
    await this.untilMore();
    const { ticks, echoed } = readTiny(this.#shown);
    expect(this.problems).toEqual([]);
    expect(echoed).toBe(this.#typed.toUpperCase());
    expect(ticks).toEqual(ticks.map((_, i) => i + 1));
  }

  #connect(port: number): void {
    if (this.#closed) return;
    const { vm, key } = this.#pair;
    const socket = tls.connect({ host: "127.0.0.1", port, ...pskClientOptions(vm, key) });
    const frames = new FrameReader(consoleMessageBytesMax);
    socket.setNoDelay(true);
    socket.on("secureConnect", () => {
      const position = this.#end;
      socket.write(frame(encodeConsoleMessage({ kind: "attach", writer: this.#writer, position })));
    });
    socket.on("data", (bytes) => {
      for (const message of frames.push(bytes)) {
        this.#onMessage(port, socket, decodeConsoleMessage(message));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#attached.get(port)?.socket === socket) this.#attached.delete(port);
      setTimeout(() => this.#connect(port), retryMs);
    });
  }

  #onMessage(port: number, socket: tls.TLSSocket, message: ConsoleMessage): void {
    switch (message.kind) {
      case "attached": {
        if (this.#start !== null && message.position > this.#end) {
          this.problems.push(`bytes ${this.#end} to ${message.position} are kept nowhere`);
        }
        const attached = { socket, sent: this.#accepted };
        this.#attached.set(port, attached);
        this.#send(attached);
        return;
      }
      case "output":
        this.#onOutput(port, message.position, Buffer.from(message.bytes).toString("latin1"));
        return;
      case "accepted":
        if (message.writer !== this.#writer) return;
        this.#accepted = Math.max(this.#accepted, message.position);
        if (this.#typing && this.#accepted === this.#typed.length) {
          this.type(nextLetter(this.#typed.length));
        }
        return;
      default:
        socket.destroy();
    }
  }

  #onOutput(port: number, position: number, text: string): void {
    this.#start ??= position;
    if (position > this.#end) {
      this.problems.push(`byte ${this.#end} is missing: ${port} went on at ${position}`);
      return;
    }
    const at = position - (this.#start ?? 0);
    const known = this.#shown.slice(at, at + text.length);
    if (!text.startsWith(known)) {
      this.problems.push(`at ${position} port ${port} shows "${text}", before it was "${known}"`);
    }
    this.#shown += text.slice(known.length);
  }

  #send(attached: Attached): void {
    const position = attached.sent;
    const bytes = Buffer.from(this.#typed.slice(position), "latin1");
    if (bytes.length === 0) return;
    attached.sent = this.#typed.length;
    const message = { kind: "input", position, bytes, accepted: this.#accepted } as const;
    attached.socket.write(frame(encodeConsoleMessage(message)));
  }
}

interface Attached {
  readonly socket: tls.TLSSocket;
  /** How much of what was typed was sent on this connection. */
  sent: number;
}

/** Letters that the tiny guest only echoes, and a newline, at which it prints its sum. */
function nextLetter(position: number): string {
  const letters = "acdefghijklmnoprstuvwxyz";
  if (position % lineBytes === lineBytes - 1) return "\n";
  return letters[(position * 7 + Math.floor(position / lineBytes)) % letters.length] ?? "a";
}

/** What the tiny guest printed: the numbers of its ticks, and the echo with everything else cut. */
function readTiny(shown: string): { ticks: number[]; sums: number; echoed: string } {
  const ticks = [...shown.matchAll(/tick (\d+)\n/g)].map((match) => Number(match[1]));
  const sums = [...shown.matchAll(/sum [0-9a-f]{8}\n/g)].length;
  const echoed = shown.replaceAll(/tiny ready\n|tick \d+\n|sum [0-9a-f]{8}\n/g, "");
  // What is in the middle of being printed is no echo.
  return {
    ticks,
    sums,
    echoed: echoed.replace(/(t|ti|tic|tick|tick \d*|s|su|sum|sum [0-9a-f]*)$/, ""),
  };
}
