/**
 * All that makes a run what it is, as data drawn from the seed before the run begins: the world's
 * shape, its everyday trouble, and the faults with their times. So a failing run can be made
 * smaller by leaving out faults, and two runs of equal scenarios are equal.
 */
import { type PairTimings, pairTimings } from "../../src/vm-runner/failover/pair-timings.ts";
import type { Node } from "./events.ts";

export interface Scenario {
  readonly seed: number;
  /** Computers with a runner, in the order in which they start. */
  readonly nodes: readonly Node[];
  /** Computers that are free to take a runner when one of `nodes` is lost for good. */
  readonly spares: readonly Node[];
  /**
   * Processes die only while the pair is complete: a death that comes too early waits. Then no
   * fault may ever cost the VM.
   */
  readonly patientDeath: boolean;
  /** Faults strike before this; then the run goes on until all is well, or a bound is passed. */
  readonly faultyMs: number;
  readonly network: NetworkTrouble;
  readonly store: StoreShape;
  readonly guest: GuestShape;
  readonly clocks: Readonly<Record<Node, ClockShape>>;
  /** Console clients that read and type all the time. */
  readonly clients: number;
  /** The network that the guest's card is in; null: none, and no gateway. */
  readonly outside: OutsideShape | null;
  /** How the pair watches itself. */
  readonly timings: PairTimings;
  /** How long a runner that is told to leave waits for somebody to hand over to. */
  readonly leaveWaitMs: number;
  /** Who begins the VM anew when both halves are lost; null: nobody. */
  readonly operator: OperatorShape | null;
  /** In the order of `atMs`. */
  readonly faults: readonly Fault[];
}

/** What the network does every day. Shares are probabilities of a message, 0 to 1. */
export interface NetworkTrouble {
  readonly latencyMs: number;
  /** Up to this much more, drawn for each message. */
  readonly jitterMs: number;
  /** A datagram is lost, comes twice, or comes late; a stream's segment is sent again later. */
  readonly lossShare: number;
  readonly duplicateShare: number;
  readonly reorderShare: number;
}

export interface StoreShape {
  readonly kind: "file" | "lease";
  /** Arbiters alive at once, over the same store. */
  readonly arbiters: number;
  readonly delayMs: number;
  /** What becomes of a request now and then, beyond the faults. */
  readonly lossShare: number;
}

export interface GuestShape {
  readonly memoryBytes: number;
  /** Virtual microseconds between two wake-ups of the idle guest. */
  readonly timerUs: number;
  /** Bytes that the guest prints in one go when told to. */
  readonly burstBytes: number;
  /** Timers from the guest's own frames to the next ones; 0: it sends none unless it is asked. */
  readonly timersPerFrames: number;
}

export interface OutsideShape {
  /** Clients that ask the guest something, one thing after the other. */
  readonly clients: number;
  /** From an answer to the next request, on average. */
  readonly thinkMs: number;
  /** Of the frames between clients and gateway. */
  readonly lossShare: number;
}

export interface OperatorShape {
  readonly lookMs: number;
  /** What it knows of the record is so old when it acts. */
  readonly staleMs: number;
  /** A VM that was switched off is wanted on again after this; null: it stays off. */
  readonly againMs: number | null;
  /** That a computer is off for good is known after this; null: never. */
  readonly fenceMs: number | null;
  /** It permits it to two runners at once. */
  readonly rivals: boolean;
}

export interface ClockShape {
  readonly offsetMs: number;
  /** Seconds of this clock in a second of the world. */
  readonly rate: number;
}

/** A computer by the role that its runner has when the fault strikes, as the record names it. */
export const roleNodes = ["primary", "backup"] as const;

/**
 * A fault, with the moment at which it strikes or begins to wait for its chance. `forMs`: it ends
 * by itself after this long. `restartMs`: the process is started anew (another nonce) after this
 * long; null: never, its computer is gone for good. A node may be one of `roleNodes`.
 */
export type Fault = { readonly atMs: number } & (
  | {
      readonly kind: "crash";
      readonly node: Node;
      /** The computer dies with it: nobody is told that its connections are gone. */
      readonly silent: boolean;
      readonly restartMs: number | null;
    }
  /** Dies before or after performing the n-th effect from `atMs` on. */
  | {
      readonly kind: "crash at effect";
      readonly node: Node;
      readonly nth: number;
      readonly when: "before" | "after";
      readonly silent: boolean;
      readonly restartMs: number | null;
    }
  /** SIGTERM: leaves, if it can without a gap. */
  | { readonly kind: "terminate"; readonly node: Node; readonly restartMs: number | null }
  | { readonly kind: "power off" }
  /** The guest does something that its processor refuses: both halves stop, the VM is lost. */
  | { readonly kind: "trap" }
  /** The whole process stands still, then goes on with its old state. */
  | { readonly kind: "freeze"; readonly node: Node; readonly forMs: number }
  /** The same before or after performing the n-th effect from `atMs` on: in the middle of a turn. */
  | {
      readonly kind: "freeze at effect";
      readonly node: Node;
      readonly nth: number;
      readonly when: "before" | "after";
      readonly forMs: number;
    }
  /** The process's I/O stands still; its VM and its heartbeats go on. */
  | { readonly kind: "stall"; readonly node: Node; readonly forMs: number }
  /** Only the VM thread stands still. */
  | { readonly kind: "wedge"; readonly node: Node; readonly forMs: number }
  /** Each step takes this long. */
  | {
      readonly kind: "slow";
      readonly node: Node;
      readonly stepMs: number;
      readonly forMs: number;
    }
  /** Nothing passes from one to the other; `oneWay` false: nor back. */
  | {
      readonly kind: "partition";
      readonly from: Node;
      readonly to: Node;
      readonly oneWay: boolean;
      readonly forMs: number;
    }
  | {
      readonly kind: "delay";
      readonly from: Node;
      readonly to: Node;
      readonly ms: number;
      readonly forMs: number;
    }
  /** The runners' connection breaks; of what is on its way, this share of bytes still arrives. */
  | { readonly kind: "cut"; readonly node: Node; readonly share: number }
  /** The next bytes from one to the other arrive altered. */
  | { readonly kind: "corrupt"; readonly from: Node; readonly to: Node }
  | { readonly kind: "clock jump"; readonly node: Node; readonly ms: number }
  | { readonly kind: "clock rate"; readonly node: Node; readonly rate: number }
  | { readonly kind: "arbiter down"; readonly arbiter: number; readonly forMs: number }
  /** Killed, or its computer with it, in the middle of its n-th operation on the disk from now. */
  | {
      readonly kind: "arbiter crash";
      readonly arbiter: number;
      readonly nth: number;
      readonly forMs: number;
    }
  | {
      readonly kind: "arbiter slow";
      readonly arbiter: number;
      readonly ms: number;
      readonly forMs: number;
    }
  /** The next request for a change does not go well. "late": lands after its asker gave up. */
  | {
      readonly kind: "request trouble";
      readonly fate: "request lost" | "answer lost" | "late" | "twice";
    }
  /** Another writer touches the Lease between reading and writing it. */
  | { readonly kind: "lease conflict"; readonly times: number }
  /** The VM's record is deleted in the middle of its life, for good. */
  | { readonly kind: "record gone" }
  /** The guest prints a lot, so that buffers fill. */
  | { readonly kind: "burst"; readonly times: number }
  /** The first `clients` clients type this much at once, so that the queues of input fill. */
  | { readonly kind: "paste"; readonly bytes: number; readonly clients: number }
  /** The next move into a fresh instance fails on this computer. */
  | { readonly kind: "move fails"; readonly node: Node }
  /** The gateway's process dies; another one, with a number of its own, takes its place. */
  | { readonly kind: "gateway crash"; readonly silent: boolean; readonly restartMs: number | null }
  | { readonly kind: "gateway freeze"; readonly forMs: number }
  /** The network behind the gateway is gone; `deaf`: it is there, and reads nothing. */
  | { readonly kind: "network gone"; readonly deaf: boolean; readonly forMs: number }
  /** So many frames for the guest at once. */
  | { readonly kind: "flood"; readonly frames: number; readonly bytes: number }
  /** The gateway reads the record as it was so many epochs ago, and goes on with another process. */
  | { readonly kind: "old reading"; readonly epochs: number }
);

/** full: anything. short: one failover and the way back to a pair. */
export type Shape = "full" | "short";

/** Nothing goes wrong here: to begin hand-written scenarios with. */
export const plainScenario: Scenario = {
  seed: 1,
  nodes: ["a", "b"],
  spares: [],
  patientDeath: false,
  faultyMs: 0,
  network: { latencyMs: 0.5, jitterMs: 0, lossShare: 0, duplicateShare: 0, reorderShare: 0 },
  store: { kind: "file", arbiters: 1, delayMs: 1, lossShare: 0 },
  guest: { memoryBytes: 64 * 1024, timerUs: 4_000, burstBytes: 2_048, timersPerFrames: 0 },
  clocks: {},
  clients: 0,
  outside: null,
  timings: pairTimings,
  leaveWaitMs: 0,
  operator: null,
  faults: [],
};
