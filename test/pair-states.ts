/** States of the pair's core for table tests, and one step with its effects by kind. */
import { aloneLookMs, heldConsoleBytesMax, recorderAheadEntriesMax } from "../src/shared/limits.ts";
import type { VmRecord } from "../src/shared/protocol/record.ts";
import { newWatch } from "../src/vm-runner/failover/failure-detector.ts";
import { initialState, step } from "../src/vm-runner/failover/pair.ts";
import { pairBounds } from "../src/vm-runner/failover/pair-bounds.ts";
import { pairTimings } from "../src/vm-runner/failover/pair-timings.ts";
import type {
  Follower,
  FollowerOfMine,
  FollowerPhase,
  PairConfig,
  PairEffect,
  PairInput,
  PairState,
  Primary,
  Role,
  TakingOver,
} from "../src/vm-runner/failover/pair-types.ts";
import { emptyLog } from "../src/vm-runner/logging-channel/log-buffer.ts";
import { emptyHold } from "../src/vm-runner/output-rule/output-hold.ts";
import type { Batch, ExecutorEvent } from "../src/vm-runner/replay/executor-protocol.ts";
import type { ConsoleInput, IngressInput } from "../src/vm-runner/replay/log-entry.ts";

/** All these states are of this moment. */
export const nowMs = 10_000;
export const me = "me";
export const peer = "peer";

export function record(
  epoch: number,
  primary: string | null,
  backup: string | null = null,
): VmRecord {
  return { vm: "vm-1", epoch, primary, backup, takeovers: 0 };
}

export function stateOf(role: Role, known: VmRecord | null): PairState {
  const config: PairConfig = {
    ...{ vm: "vm-1", nonce: me, fingerprint: { version: "1" }, restartEpoch: null, leaveWaitMs: 0 },
    ...{ bounds: pairBounds, timings: pairTimings },
  };
  return { ...initialState(config, nowMs), view: { known, unsettled: [] }, life: 1, role };
}

/** Standing, connected on link 1, has received and executed entry 9. */
export function follower(but: Partial<Follower> = {}): Follower {
  return {
    kind: "follower",
    primary: peer,
    link: 1,
    watch: newWatch(nowMs),
    received: 9,
    executed: 9,
    executedUs: 900,
    reported: 9,
    machine: { kind: "standing" },
    brokenOff: 0,
    dialling: false,
    suspicion: null,
    suspectedMs: 0,
    announced: 0,
    poweredOff: false,
    leaving: null,
    ...but,
  };
}

export function takingOver(but: Partial<TakingOver> = {}): TakingOver {
  return {
    kind: "takingOver",
    reason: "silence",
    sinceMs: nowMs,
    received: 9,
    poweredOff: false,
    leaving: null,
    ...but,
  };
}

/** Live, has recorded entry 9. */
export function primary(but: Partial<Primary> = {}): Primary {
  return {
    kind: "primary",
    live: true,
    log: emptyLog(10),
    timeUs: 900,
    hold: emptyHold,
    follower: null,
    cpuLimit: 1,
    cpuLimitMs: nowMs,
    printed: 0,
    allowance: { through: 9 + recorderAheadEntriesMax, printed: heldConsoleBytesMax },
    logFull: false,
    nextTransfer: 1,
    snapshotAsked: null,
    leaving: null,
    poweredOff: null,
    takeover: null,
    lookMs: nowMs + aloneLookMs,
    ...but,
  };
}

/** Connected on link 1, has acknowledged and executed entry 9. */
export function followerOfMine(
  phase: FollowerPhase,
  but: Partial<FollowerOfMine> = {},
): FollowerOfMine {
  return {
    nonce: peer,
    link: 1,
    watch: newWatch(nowMs),
    acked: 9,
    executed: 9,
    executedUs: 900,
    phase,
    ...but,
  };
}

export function batch(first: number, count = 1, bytes = 10): Batch {
  return { first, count, timeUs: 100 * (first + count), bytes: new Uint8Array(bytes) };
}

export function recorded(first: number, count = 1, bytes = 10): PairInput {
  return executor({ kind: "recorded", batch: batch(first, count, bytes) });
}

/** The guest printed one byte in step `index`. */
export function printed(index: number): PairInput {
  const output = { kind: "console", position: index, bytes: Uint8Array.of(index) } as const;
  return executor({ kind: "output", index, output });
}

export const typed: ConsoleInput = {
  kind: "console",
  writer: 1,
  position: 0,
  bytes: Uint8Array.of(7),
};

export const frames: IngressInput = {
  kind: "ingress",
  gateway: 1,
  first: 0,
  frames: [new Uint8Array(60)],
};

/** The guest sent one frame of so many bytes in step `index`. */
export function egress(index: number, bytes = 60): PairInput {
  const output = { kind: "egress", first: index, frames: [new Uint8Array(bytes)] } as const;
  return executor({ kind: "output", index, output });
}

/** The recorder runs from entry `next` on. */
export function live(next: number, announcement: Uint8Array | null = null): PairInput {
  return executor({ kind: "live", next, printed: 0, announcement });
}

export function executor(event: ExecutorEvent): PairInput {
  return { kind: "executor", event };
}

export function ack(received: number, executed = received): PairInput {
  const message = { kind: "ack", received, executed, executedUs: 100 * executed } as const;
  return { kind: "message", link: 1, message };
}

export class After {
  readonly state: PairState;
  readonly effects: readonly PairEffect[];

  constructor(state: PairState, effects: readonly PairEffect[] = []) {
    this.state = state;
    this.effects = effects;
  }

  /** Feeds the inputs one after the other, all at `atMs`; effects add up. */
  step(inputs: readonly PairInput[], atMs = nowMs): After {
    let { state } = this;
    const effects = [...this.effects];
    for (const input of inputs) {
      const next = step(state, input, atMs);
      state = next.state;
      effects.push(...next.effects);
    }
    return new After(state, effects);
  }

  get role(): Role {
    return this.state.role;
  }

  of<K extends PairEffect["kind"]>(kind: K): (PairEffect & { kind: K })[] {
    // SAFETY: the kind is compared.
    return this.effects.filter((effect) => effect.kind === kind) as (PairEffect & { kind: K })[];
  }

  /** The steps whose outputs left. */
  get released(): number[] {
    return this.of("release").flatMap(({ output }) => ("bytes" in output ? [...output.bytes] : []));
  }

  /** First entries of the batches that are kept for the follower. */
  get kept(): number[] {
    const { role } = this.state;
    return role.kind === "primary" ? [...role.log.batches].map(({ first }) => first) : [];
  }

  get asked(): string[] {
    return this.of("ask").map(({ request }) => request.kind);
  }

  get sent(): string[] {
    return this.of("send").map(({ message }) => message.kind);
  }

  get commands(): string[] {
    return this.of("executor").map(({ command }) => command.kind);
  }

  get exit(): string | null {
    return this.of("exit")[0]?.reason ?? null;
  }
}

export function after(role: Role, known: VmRecord | null, ...inputs: PairInput[]): After {
  return new After(stateOf(role, known)).step(inputs);
}
