/**
 * Judges what a counting guest prints: is every number the one after the last, and how long was it
 * silent? It takes the console's bytes in pieces of any size.
 */

export interface CounterFault {
  readonly kind: "missing" | "repeated";
  /** The number that should have come. */
  readonly expected: number;
  readonly found: number;
}

interface Arrival {
  readonly number: number;
  readonly atMs: number;
}

/** Ten minutes of a number every 10 ms; older arrivals are of no interest. */
const arrivalsMax = 60_000;
const faultsMax = 100;
const lineCharactersMax = 4096;

export class CounterCheck {
  readonly #pattern: RegExp;
  readonly #faults: CounterFault[] = [];
  #arrivals: Arrival[] = [];
  #rest = "";
  #count = 0;

  /** `word` comes before each number: "counter", or "tick". */
  constructor(word: string) {
    this.#pattern = new RegExp(`^${word} (\\d+)\\r?$`);
  }

  /** Numbers seen so far. */
  get count(): number {
    return this.#count;
  }

  get last(): number | null {
    return this.#arrivals.at(-1)?.number ?? null;
  }

  get faults(): readonly CounterFault[] {
    return this.#faults;
  }

  push(text: string, atMs: number): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-lineCharactersMax);
    for (const line of lines) {
      const found = this.#pattern.exec(line)?.[1];
      if (found !== undefined) this.#number(Number(found), atMs);
    }
  }

  /** The longest time between two numbers of which the second came after `fromMs`. */
  longestGapMs(fromMs: number, toMs = Number.POSITIVE_INFINITY): number {
    let longest = 0;
    for (let i = this.#arrivals.length - 1; i > 0; i--) {
      const [before, after] = [this.#arrivals[i - 1], this.#arrivals[i]];
      if (before === undefined || after === undefined || after.atMs < fromMs) break;
      if (before.atMs <= toMs) longest = Math.max(longest, after.atMs - before.atMs);
    }
    return longest;
  }

  #number(number: number, atMs: number): void {
    const expected = (this.last ?? number - 1) + 1;
    if (number !== expected && this.#faults.length < faultsMax) {
      this.#faults.push({
        kind: number > expected ? "missing" : "repeated",
        expected,
        found: number,
      });
    }
    this.#count++;
    this.#arrivals.push({ number, atMs });
    if (this.#arrivals.length > arrivalsMax)
      this.#arrivals = this.#arrivals.slice(-arrivalsMax / 2);
  }
}
