/** What the proof wants of a client: real programs that know nothing of failovers. */
import type { Arrivals } from "./arrivals.ts";

export const clientNames = ["ssh", "http", "redis"] as const;
export type ClientName = (typeof clientNames)[number];

export interface RealClient {
  readonly name: ClientName;
  /** When it received something. */
  readonly arrivals: Arrivals;
  /** A failure now strikes it at work, not between two pieces of work. */
  readonly isAtWork: boolean;
  /** Waits for its server to serve, then goes to work. */
  start(): Promise<void>;
  /** What it has seen so far. */
  readonly verdict: Verdict;
  /** Ends the work, and checks what can only be checked then. */
  stop(): Promise<Verdict>;
  /** Ends it at once. */
  kill(): void;
}

export interface Verdict {
  /** What it did, for people. */
  readonly work: string;
  /** Connections that ended before their work was done. */
  readonly resets: number;
  readonly wrongBytes: number;
  /** Acknowledged, and not there (or not once) afterwards. */
  readonly lostWrites: number;
  /** What was wrong, one sentence each. */
  readonly troubles: readonly string[];
}

/** Sentences kept; the first tell most. */
const troublesMax = 10;

export class Faults {
  resets = 0;
  wrongBytes = 0;
  lostWrites = 0;
  readonly troubles: string[] = [];

  tell(trouble: string): void {
    if (this.troubles.length < troublesMax) this.troubles.push(trouble);
  }

  verdict(work: string): Verdict {
    const { resets, wrongBytes, lostWrites, troubles } = this;
    return { work, resets, wrongBytes, lostWrites, troubles };
  }
}
