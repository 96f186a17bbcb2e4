/**
 * A runner that follows a primary: it receives a snapshot, then executes the log and acknowledges
 * what it received (the paper, section 2.2). Once the record names it, it is the backup.
 */

import { unreachable } from "../../shared/assert.ts";
import { excuseStandstill, lossOf } from "./failure-detector.ts";
import { onFollowerExecutor } from "./follower-executor.ts";
import { acknowledge, onFollowerMessage } from "./follower-messages.ts";
import type { Follower, PairInput, PairState } from "./pair-types.ts";
import { becomePrimary, becomeTakingOver, discard, helloOf, leaveBy } from "./roles.ts";
import { recordRetryMs, type Turn } from "./turn.ts";

/**
 * A follower that lost its primary and is not named waits this long before it gives up: the
 * primary's last `pair` may still be on its way to the record.
 */
const unnamedWaitMs = 2_000;

export function onFollowerInput(
  state: PairState,
  role: Follower,
  input: PairInput,
  turn: Turn,
): PairState {
  switch (input.kind) {
    case "tick":
      return onTick(state, role, turn);
    case "heartbeat":
      return input.nonce === role.primary
        ? watching(state, role, { heartbeatMs: turn.nowMs })
        : state;
    case "message":
      return input.link === role.link ? onFollowerMessage(state, role, input.message, turn) : state;
    case "executor":
      return onFollowerExecutor(state, role, input.event, turn);
    case "linkClosed":
      return input.link === role.link ? onLinkLost(state, role, turn) : state;
    case "dialled":
      turn.send(input.link, helloOf(state, role.received));
      return withFollower(state, { ...role, link: input.link });
    case "dialFailed":
      return onDialFailed(state, role, input.refused);
    case "recordRead":
      return onRecordRead(state, role, turn);
    case "terminate":
      // With the primary lost, ending now would be the end of the VM.
      if (role.suspicion === null) return leave(state, role, turn);
      return withFollower(state, { ...role, leaving: leaveBy(state, role.leaving, turn) });
    case "wrongKey":
    case "chunkSent":
    case "answer":
    case "noAnswer":
    case "recordUnreadable":
    case "guestInput":
    case "powerOff":
      return state;
  }
  return unreachable(input);
}

/** What the record, as known, makes of a follower. */
export function reviewFollower(state: PairState, role: Follower, turn: Turn): PairState {
  const { known } = state.view;
  const { nonce } = state.config;
  if (known?.primary === nonce) {
    return becomePrimary(state, { kind: "handedOver", from: role }, turn);
  }
  if (known !== null && known.primary === null && known.epoch > 0) {
    return turn.stop(state, "stopped", `the VM was stopped at epoch ${known.epoch}`);
  }
  return role.suspicion === null && !isBehind(state, role) ? state : turn.read(state);
}

/** The primary has told of a record that this runner has not read yet. */
function isBehind(state: PairState, role: Follower): boolean {
  return (state.view.known?.epoch ?? -1) < role.announced;
}

export function excuseFollower(state: PairState, nowMs: number): PairState {
  const { role } = state;
  if (role.kind !== "follower") return state;
  return { ...state, role: { ...role, watch: excuseStandstill(role.watch, nowMs) } };
}

function onTick(state: PairState, role: Follower, turn: Turn): PairState {
  const reported = role.executed > role.reported ? acknowledge(role, turn) : role;
  const loss = lossOf(silenceThatCounts(reported, turn.nowMs), state.config.timings, turn.nowMs);
  if (loss === null) {
    const isBack = reported.suspicion !== null && reported.link !== null;
    if (isBack && reported.leaving !== null) return leave(state, reported, turn);
    return withFollower(state, { ...reported, suspicion: null });
  }
  if (reported.machine.kind !== "standing") return discard(state, reported, turn);
  if (reported.suspicion !== null) return withFollower(state, reported);
  return suspect(state, reported, loss, turn);
}

/** The primary lives: it is told, and goes on alone at once. */
function leave(state: PairState, role: Follower, turn: Turn): PairState {
  turn.send(role.link, { kind: "bye", reason: "stopping", message: "the backup was stopped" });
  return turn.stop(state, "stopped", "the backup was asked to stop");
}

/** Before the snapshot there is no log to be silent, and how far it executes is its own matter. */
function silenceThatCounts(role: Follower, nowMs: number): Follower["watch"] {
  const logMs = role.machine.kind === "awaited" ? nowMs : role.watch.logMs;
  return { ...role.watch, logMs, executionMs: nowMs };
}

function suspect(state: PairState, role: Follower, loss: string, turn: Turn): PairState {
  turn.report({ kind: "suspected", reason: loss });
  const suspected = { ...role, suspicion: loss, suspectedMs: turn.nowMs };
  return withFollower(state, suspected);
}

/**
 * The record was read. When the primary seems lost, only a record that names this runner lets it
 * go on; a record that cannot be read changes nothing: it keeps acknowledging and waits.
 */
function onRecordRead(state: PairState, role: Follower, turn: Turn): PairState {
  const { known } = state.view;
  const { nonce } = state.config;
  // Named primary, or the VM was stopped: the review sees to it.
  if (known === null || known.primary === nonce || known.primary === null) return state;
  if (role.suspicion === null) {
    // The reading began before the change: once more, in a moment.
    return isBehind(state, role) ? { ...state, readAgainMs: turn.nowMs + recordRetryMs } : state;
  }
  if (known.backup === nonce) return becomeTakingOver(state, role, role.suspicion, turn);
  const mayBeNamedYet = known.primary === role.primary && role.leaving === null;
  if (mayBeNamedYet && turn.nowMs - role.suspectedMs < unnamedWaitMs) {
    return { ...state, readAgainMs: turn.nowMs + unnamedWaitMs / 20 };
  }
  if (role.leaving !== null) {
    return turn.stop(state, "stopped", "told to leave, and the record names this runner no more");
  }
  const message = `the record at epoch ${known.epoch} names neither half as ${nonce}`;
  return turn.stop(state, "superseded", message);
}

function onLinkLost(state: PairState, role: Follower, turn: Turn): PairState {
  if (role.machine.kind !== "standing") return discard(state, role, turn);
  if (role.leaving !== null) {
    return suspect(state, lost(role, turn), "the primary hung up on a runner that leaves", turn);
  }
  turn.effects.push({ kind: "dial" });
  return withFollower(state, { ...lost(role, turn), dialling: true });
}

function lost(role: Follower, turn: Turn): Follower {
  const closedMs = role.watch.closedMs ?? turn.nowMs;
  return { ...role, link: null, watch: { ...role.watch, closedMs } };
}

/** One reconnect is tried; a refused one says at once that nobody is there. */
function onDialFailed(state: PairState, role: Follower, refused: boolean): PairState {
  const watch = { ...role.watch, refused: role.watch.refused || refused };
  return withFollower(state, { ...role, dialling: false, watch });
}

function watching(state: PairState, role: Follower, seen: Partial<Follower["watch"]>): PairState {
  return withFollower(state, { ...role, watch: { ...role.watch, ...seen } });
}

function withFollower(state: PairState, role: Follower): PairState {
  return { ...state, role };
}
