/** Where the demo sees the guest count: over a TCP connection, or on the console. */
import type { PairView } from "../pair/events.ts";
import type { CounterCheck } from "./counter-check.ts";

export type Transport = "tcp" | "console";

export interface CountedOutput {
  readonly transport: Transport;
  /** What the demo says about it when the first numbers have come. */
  readonly description: string;
  readonly counter: CounterCheck;
  /** Names the primary whose output comes now: after a failover it is another one. */
  readonly source: string;
  /** How often the TCP connection broke; no number comes after that. */
  readonly resets: number;
  /** Why the demo cannot go on; null: it can. */
  readonly problem: string | null;
  /** The guest can be asked to count. */
  readonly ready: boolean;
  /** For whoever waits for it in vain. */
  readonly evidence: string;
  /** Once, when it is ready: the guest counts from now on. */
  start(): void;
  onView(view: PairView): void;
  close(): void;
}
