/**
 * Judges what a counting guest prints: is every number the one after the last, and how long was it
 * silent? It takes the bytes in pieces of any size.
 */

export type CounterFault =
  | {
      readonly kind: "missing" | "repeated";
      /** The number that should have come. */
      readonly expected: number;
      readonly found: number;
    }
  /** A line that is no number, where there should be nothing else. */
  | { readonly kind: "wrong"; readonly line: string };

interface Arrival {
  readonly number: number;
  readonly atMs: number;
}

/** Ten minutes of a number every 10 ms; older arrivals are of no interest. */
const arrivalsMax = 60_000;
const faultsMax = 100;
const lineCharactersMax = 4096;

export interface CounterCheckOptions {
  /** Comes before each number: "counter", or "tick". */
  readonly word: string;
  /** Nothing else is printed: the numbers begin with 1, and any other line is a fault. */
  readonly numbersOnly: boolean;
}

export class CounterCheck {
  readonly #pattern: RegExp;
  readonly #numbersOnly: boolean;
  readonly #faults: CounterFault[] = [];
  #arrivals: Arrival[] = [];
  #rest = "";
  #count = 0;

  constructor({ word, numbersOnly }: CounterCheckOptions) {
    this.#pattern = new RegExp(numbersOnly ? `^${word} (\\d+)$` : `^${word} (\\d+)\\r?$`);
    this.#numbersOnly = numbersOnly;
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
      else if (this.#numbersOnly) this.#fault({ kind: "wrong", line });
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
    const before = this.#numbersOnly ? 0 : number - 1;
    const expected = (this.last ?? before) + 1;
    if (number !== expected) {
      this.#fault({ kind: number > expected ? "missing" : "repeated", expected, found: number });
    }
    this.#count++;
    this.#arrivals.push({ number, atMs });
    if (this.#arrivals.length > arrivalsMax)
      this.#arrivals = this.#arrivals.slice(-arrivalsMax / 2);
  }

  #fault(fault: CounterFault): void {
    if (this.#faults.length < faultsMax) this.#faults.push(fault);
  }
}
