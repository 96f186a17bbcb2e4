/**
 * A client in the network outside: it asks the guest something, asks again as TCP would when no
 * answer comes, and goes on to its next request once it has one.
 */
import type { Random } from "./random.ts";

export interface AskerWorld {
  after(ms: number, run: () => void): void;
  /** Sends a frame with this request to the guest; nobody says whether it arrives. */
  transmit(request: string): void;
}

/** A request is sent again after this long, then after twice as long, and so on. */
const repeatMs = 60;
const repeatMsMax = 480;

export class Asker {
  readonly #world: AskerWorld;
  readonly #name: string;
  readonly #thinkMs: number;
  readonly #random: Random;
  /** Requests made; the last one may wait for its answer. */
  asked = 0;
  answered = 0;
  #thinking = true;
  /** It has made its last request. */
  #done = false;

  /** `thinkMs`: from an answer to the next request, on average. */
  constructor(world: AskerWorld, name: string, thinkMs: number, random: Random) {
    this.#world = world;
    this.#name = name;
    this.#thinkMs = thinkMs;
    this.#random = random;
    this.#askLater();
  }

  /** One last request, after the one that waits. */
  finish(): void {
    this.#done = true;
    if (this.#thinking) this.#ask();
  }

  get satisfied(): boolean {
    return this.answered === this.asked;
  }

  /** The guest answered a request; anybody's answers come here. */
  onAnswer(request: string): void {
    if (this.satisfied || request !== this.#current) return;
    this.answered++;
    this.#askLater();
  }

  get #current(): string {
    return `${this.#name}.${this.asked}`;
  }

  #askLater(): void {
    this.#thinking = true;
    if (this.#done) return;
    this.#world.after(2 * this.#thinkMs * this.#random(), () => {
      if (this.#thinking && !this.#done) this.#ask();
    });
  }

  #ask(): void {
    this.#thinking = false;
    this.asked++;
    this.#send(this.asked, repeatMs);
  }

  #send(number: number, againMs: number): void {
    if (this.satisfied || number !== this.asked) return;
    this.#world.transmit(this.#current);
    this.#world.after(againMs, () => this.#send(number, Math.min(2 * againMs, repeatMsMax)));
  }
}
