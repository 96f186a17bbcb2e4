/** The changes of role: each makes the new role's state from the old one's. */
import { assert, unreachable } from "../../shared/assert.ts";
import { aloneLookMs, successorGraceMs, successorWaitMs } from "../../shared/limits.ts";
import type { Nonce } from "../../shared/protocol/record.ts";
import { emptyLog } from "../logging-channel/log-buffer.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import { emptyHold } from "../output-rule/output-hold.ts";
import { newWatch } from "./failure-detector.ts";
import type {
  Allowance,
  Candidate,
  Follower,
  FollowerOfMine,
  LeaveBy,
  Leaving,
  PairState,
  Primary,
  TakingOver,
} from "./pair-types.ts";
import { firstAllowance } from "./recorder-allowance.ts";
import type { Turn } from "./turn.ts";

/** Pause after the first state transfer that was broken off; it doubles with each in a row. */
const brokenOffPauseMs = 100;
const brokenOffPauseMaxMs = 10_000;

export function candidateRole(nowMs: number, brokenOff = 0): Candidate {
  const pauseMs = brokenOff === 0 ? 0 : brokenOffPauseMs * 2 ** (brokenOff - 1);
  const retryMs = nowMs + Math.min(pauseMs, brokenOffPauseMaxMs);
  return { kind: "candidate", dialling: false, link: null, retryMs, failedDials: 0, brokenOff };
}

/** Whoever is not the primary dials and says who it is and what it has. */
export function helloOf(state: PairState, received: number): ChannelMessage {
  const { vm, nonce, fingerprint } = state.config;
  return { kind: "hello", vm, nonce, fingerprint, received };
}

type Welcome = Extract<ChannelMessage, { readonly kind: "welcome" }>;

/** The primary has welcomed this candidate; its snapshot is the next to come. */
export function followPrimary(
  state: PairState,
  candidate: Candidate,
  { nonce: primary, life }: Welcome,
  turn: Turn,
): PairState {
  const { link, brokenOff } = candidate;
  const role: Follower = {
    kind: "follower",
    primary,
    link,
    watch: newWatch(turn.nowMs),
    received: -1,
    executed: -1,
    executedUs: 0,
    reported: -1,
    machine: { kind: "awaited" },
    brokenOff,
    dialling: false,
    suspicion: null,
    suspectedMs: 0,
    announced: 0,
    poweredOff: false,
    leaving: null,
  };
  return { ...state, life, role };
}

/** A half-received snapshot is thrown away: nothing was executed, so begin again. */
export function discard(state: PairState, role: Follower, turn: Turn): PairState {
  turn.hangUp(role.link);
  turn.command({ kind: "stop" });
  return { ...state, life: null, role: candidateRole(turn.nowMs, role.brokenOff + 1) };
}

/** The named backup suspects the loss of its primary, and the record could be read. */
export function becomeTakingOver(
  state: PairState,
  follower: Follower,
  reason: string,
  turn: Turn,
): PairState {
  turn.hangUp(follower.link);
  const { received, poweredOff, leaving } = follower;
  const sinceMs = follower.suspectedMs;
  return {
    ...state,
    role: { kind: "takingOver", reason, sinceMs, received, poweredOff, leaving },
  };
}

/** How this runner came to be named primary. */
export type Succession =
  | { readonly kind: "firstLife" }
  | { readonly kind: "tookOver"; readonly from: TakingOver }
  | { readonly kind: "handedOver"; readonly from: Follower };

export function becomePrimary(state: PairState, how: Succession, turn: Turn): PairState {
  const received = how.kind === "firstLife" ? -1 : how.from.received;
  const poweredOff = how.kind !== "firstLife" && how.from.poweredOff;
  const allowance = firstAllowance(received, state.config.bounds);
  const role: Primary = {
    kind: "primary",
    live: false,
    log: emptyLog(received + 1),
    timeUs: 0,
    hold: { ...emptyHold, released: received },
    follower: how.kind === "handedOver" ? oldPrimary(how.from, turn.nowMs) : null,
    cpuLimit: 1,
    cpuLimitMs: turn.nowMs,
    printed: null,
    allowance,
    logFull: false,
    nextTransfer: 1,
    snapshotAsked: null,
    leaving: how.kind === "firstLife" ? null : leavingAfter(how.from.leaving, turn),
    poweredOff: poweredOff ? received : null,
    takeover: takeoverOf(state, how, turn.nowMs),
    lookMs: turn.nowMs + aloneLookMs,
  };
  const life = how.kind === "firstLife" ? state.view.known?.epoch : state.life;
  assert(life !== undefined && life !== null, "a primary knows in which life it is");
  turn.effects.push({ kind: "releaseRemembered", life });
  if (!poweredOff) startRecording(how, allowance, turn);
  return { ...state, life, role };
}

/** A first life is made before anything can be said to it. */
function startRecording(how: Succession, allowance: Allowance, turn: Turn): void {
  if (how.kind === "firstLife") turn.effects.push({ kind: "recordFirstLife" });
  turn.command({ kind: "allowance", ...allowance });
  if (how.kind !== "firstLife") turn.command({ kind: "record", inputs: [] });
}

/** After a granted hand-over: the old primary counts as backup until the new one is alone. */
export function followSuccessor(
  state: PairState,
  role: Primary,
  { primary, next, untilMs }: LeaveBy & { readonly primary: Nonce; readonly next: number },
  turn: Turn,
): PairState {
  const link = role.follower?.nonce === primary ? role.follower.link : null;
  if (state.view.known !== null) {
    turn.send(link, { kind: "recordChanged", record: state.view.known });
  }
  if (role.cpuLimit < 1) turn.command({ kind: "cpuLimit", share: 1 });
  const successor: Follower = {
    kind: "follower",
    primary,
    link,
    watch: {
      ...newWatch(turn.nowMs),
      logMs: turn.nowMs + successorGraceMs,
      closedMs: link === null ? turn.nowMs : null,
    },
    received: next - 1,
    executed: next - 1,
    executedUs: role.timeUs,
    reported: next - 1,
    machine: { kind: "standing" },
    brokenOff: 0,
    dialling: false,
    suspicion: null,
    suspectedMs: 0,
    announced: 0,
    poweredOff: false,
    leaving: { untilMs },
  };
  return { ...state, role: successor };
}

/** Told to leave now, unless it was told before: then that counts. */
export function leaveBy({ config }: PairState, told: LeaveBy | null, turn: Turn): LeaveBy {
  return told ?? { untilMs: turn.nowMs + config.leaveWaitMs };
}

/** There was another half a moment ago, and it comes back: that never makes the wait shorter. */
export function waitForSuccessor({ untilMs }: LeaveBy, turn: Turn): Leaving {
  return { kind: "waiting", untilMs: Math.max(untilMs, turn.nowMs + successorWaitMs) };
}

function leavingAfter(told: LeaveBy | null, turn: Turn): Leaving | null {
  return told === null ? null : waitForSuccessor(told, turn);
}

function oldPrimary(from: Follower, nowMs: number): FollowerOfMine {
  return {
    nonce: from.primary,
    link: from.link,
    watch: newWatch(nowMs),
    acked: from.received,
    executed: from.executed,
    executedUs: from.executedUs,
    phase: { kind: from.link === null ? "lost" : "dismissed" },
  };
}

function takeoverOf(state: PairState, how: Succession, nowMs: number): Primary["takeover"] {
  switch (how.kind) {
    case "firstLife": {
      const isFirst = state.view.known?.epoch === 1;
      return { reason: isFirst ? "started" : "restarted", sinceMs: nowMs };
    }
    case "tookOver":
      return { reason: how.from.reason, sinceMs: how.from.sinceMs };
    case "handedOver":
      return { reason: "handed over", sinceMs: nowMs };
  }
  return unreachable(how);
}
