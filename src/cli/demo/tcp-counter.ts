/**
 * The guest counts for a TCP client: one connection, opened once, over all failovers. Every byte on it
 * is judged. It ends on this computer in the network behind the gateway, which has a connection of
 * its own to the guest's port; both must live on, or nothing more comes here.
 */
import net from "node:net";
import type { PairView } from "../pair/events.ts";
import type { CountedOutput } from "./counted-output.ts";
import { CounterCheck } from "./counter-check.ts";

/** The guest's service: every client gets a counter of its own, a line every 10 ms. */
export const counterPort = 7000;

export class TcpCounter implements CountedOutput {
  readonly transport = "tcp";
  readonly problem = null;
  readonly counter = new CounterCheck({ word: "counter", numbersOnly: true });
  readonly #port: number;
  #socket: net.Socket | null = null;
  #ready = false;
  #source = "nobody";
  #resets = 0;
  #state = "not connected yet";

  /** `port`: where the guest's port is published on 127.0.0.1. */
  constructor(port: number) {
    this.#port = port;
  }

  get description(): string {
    return `a TCP client is connected to the guest's port ${counterPort} and gets one number after the other`;
  }

  get source(): string {
    return this.#source;
  }

  get resets(): number {
    return this.#resets;
  }

  get ready(): boolean {
    return this.#ready;
  }

  get evidence(): string {
    return `the TCP connection is ${this.#state}, and frames count from ${this.#source}`;
  }

  start(): void {
    const socket = net.connect({ host: "127.0.0.1", port: this.#port });
    this.#socket = socket;
    const decoder = new TextDecoder();
    socket.on("connect", () => {
      this.#state = "open";
    });
    socket.on("data", (bytes) => {
      this.counter.push(decoder.decode(bytes, { stream: true }), performance.now());
    });
    let why = "closed by the other end";
    socket.on("error", (error) => {
      why = `broken: ${error.message}`;
    });
    socket.on("close", () => {
      this.#resets++;
      this.#state = why;
    });
  }

  onView({ guest, network }: PairView): void {
    this.#ready = guest?.ready ?? false;
    this.#source = network?.status?.attached ?? this.#source;
  }

  close(): void {
    this.#socket
      ?.removeAllListeners("close")
      .on("error", () => {})
      .destroy();
  }
}
