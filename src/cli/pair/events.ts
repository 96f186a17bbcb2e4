/** What happens to a pair, as its users are told: the terminal, the demo and the web page. */
import type { PublishedPort } from "../../gateway/published-port.ts";
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
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

/** The gateway, and what is reached through it. */
export interface NetworkView {
  /** Null while it is not running. */
  readonly pid: number | null;
  readonly ports: readonly PublishedPort[];
  /** Null: it does not answer. */
  readonly status: GatewayStatus | null;
}

/** Whether the guest is what its user waits for. */
export interface GuestView {
  /** For people: "TCP port 80". */
  readonly waitsFor: string;
  readonly ready: boolean;
}

export interface PairView {
  readonly name: string;
  readonly vm: string;
  /** As the runner that knows most says; null before one has read it. */
  readonly record: VmRecord | null;
  readonly halves: readonly [HalfView, HalfView];
  /** Null: the guest has no network. */
  readonly network: NetworkView | null;
  /** Null: nobody said when the guest is ready. */
  readonly guest: GuestView | null;
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
  | { readonly kind: "arbiter ended"; readonly how: string }
  | { readonly kind: "gateway ended"; readonly pid: number; readonly how: string }
  | { readonly kind: "gateway waits"; readonly how: string }
  | { readonly kind: "gateway serves"; readonly pid: number }
  | { readonly kind: "guest ready"; readonly waitsFor: string };

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
    case "gateway ended":
      return `the gateway (pid ${event.pid}) ${event.how}; starting it again`;
    case "gateway waits":
      return `the gateway cannot serve yet: it ${event.how}; trying again`;
    case "gateway serves":
      return `the gateway serves again (pid ${event.pid}): the guest has its network back`;
    case "guest ready":
      return `the guest is ready (${event.waitsFor})`;
  }
}
