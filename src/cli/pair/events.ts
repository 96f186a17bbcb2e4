/** What happens to a pair, as its users are told: the terminal, the demo and the web page. */
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { RunnerStatus } from "../../shared/protocol/status.ts";

export type HalfId = "a" | "b";

export interface HalfView {
  readonly id: HalfId;
  readonly pid: number | null;
  readonly nonce: string | null;
  /** Null: it is not running or does not answer. */
  readonly status: RunnerStatus | null;
}

export interface PairView {
  readonly name: string;
  readonly vm: string;
  /** As the runner that knows most says; null before one has read it. */
  readonly record: VmRecord | null;
  readonly halves: readonly [HalfView, HalfView];
}

export type PairEvent =
  | { readonly kind: "started"; readonly half: HalfId; readonly pid: number }
  | { readonly kind: "primary"; readonly half: HalfId; readonly epoch: number }
  /** The backup took over from a primary that was lost, or that handed over. */
  | {
      readonly kind: "took over";
      readonly half: HalfId;
      readonly epoch: number;
      readonly planned: boolean;
    }
  | { readonly kind: "redundant"; readonly backup: HalfId; readonly epoch: number }
  | { readonly kind: "alone"; readonly primary: HalfId; readonly epoch: number }
  | {
      readonly kind: "transferred";
      readonly ms: number;
      readonly pauseMs: number;
      readonly bytes: number;
    }
  | {
      readonly kind: "ended";
      readonly half: HalfId;
      readonly pid: number;
      readonly how: string;
    }
  | { readonly kind: "not restarted"; readonly half: HalfId; readonly reason: string }
  | { readonly kind: "arbiter ended"; readonly how: string };

/** How it ended, once nothing of the pair runs any more. */
export type PairEnd =
  | { readonly kind: "powered off" }
  /** Both halves are gone; `reason` is what they said last. */
  | { readonly kind: "lost"; readonly reason: string };

/** One line for people. */
export function describeEvent(event: PairEvent): string {
  switch (event.kind) {
    case "started":
      return `runner ${event.half} started (pid ${event.pid})`;
    case "primary":
      return `runner ${event.half} is the primary (epoch ${event.epoch})`;
    case "took over":
      return event.planned
        ? `runner ${event.half} is the primary now: it was handed over (epoch ${event.epoch})`
        : `runner ${event.half} took over as the primary (epoch ${event.epoch})`;
    case "redundant":
      return `runner ${event.backup} is the backup: the pair is redundant (epoch ${event.epoch})`;
    case "alone":
      return `runner ${event.primary} is alone: no backup (epoch ${event.epoch})`;
    case "transferred": {
      const size = `${(event.bytes / 1e6).toFixed(1)} MB`;
      const times = `${Math.round(event.ms)} ms; the guest paused for ${event.pauseMs.toFixed(0)} ms`;
      return `state transferred: ${size} in ${times}`;
    }
    case "ended":
      return `runner ${event.half} (pid ${event.pid}) ${event.how}`;
    case "not restarted":
      return `runner ${event.half} is not restarted: ${event.reason}`;
    case "arbiter ended":
      return `the arbiter ${event.how}; starting it again`;
  }
}
