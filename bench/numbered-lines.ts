/** The lines of the guest's `counter`, as a client sees them: which are missing, and when none came. */
const linePattern = /^counter (\d+)\r?$/;
/** Arrivals are remembered for as long as a gap is asked for. */
const arrivalsMax = 20_000;

export class NumberedLines {
  count = 0;
  lost = 0;
  repeated = 0;
  #rest = "";
  #last = 0;
  #arrivals: number[] = [];

  feed(bytes: Uint8Array, nowMs: number): void {
    const lines = (this.#rest + Buffer.from(bytes).toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const number = linePattern.exec(line)?.[1];
      if (number !== undefined) this.#take(Number(number), nowMs);
    }
  }

  /** The runners no longer had bytes that were not read: whatever was in them is lost. */
  missed(bytes: number): void {
    this.lost += bytes > 0 ? 1 : 0;
  }

  /** Of all waits for the next line that ended in this time, the longest (ms). */
  longestGap(fromMs: number, toMs: number): number {
    const ends = this.#arrivals.map((atMs, i) => ({
      atMs,
      ms: atMs - (this.#arrivals[i - 1] ?? atMs),
    }));
    const within = ends.filter(({ atMs, ms }) => atMs >= fromMs && atMs - ms <= toMs);
    return Math.max(0, ...within.map(({ ms }) => ms));
  }

  #take(number: number, nowMs: number): void {
    this.count++;
    if (number <= this.#last) this.repeated++;
    else this.lost += number - this.#last - 1;
    this.#last = Math.max(this.#last, number);
    this.#arrivals.push(nowMs);
    if (this.#arrivals.length > arrivalsMax)
      this.#arrivals = this.#arrivals.slice(-arrivalsMax / 2);
  }
}
