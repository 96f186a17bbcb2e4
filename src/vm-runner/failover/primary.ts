/**
 * The primary: it records, sends the log, holds outputs until they may leave, and asks the record
 * for every change of its pair.
 */

import { unreachable } from "../../shared/assert.ts";
import { aloneLookMs } from "../../shared/limits.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { PairInput, PairState, Primary } from "./pair-types.ts";
import { onPrimaryExecutor } from "./primary-executor.ts";
import {
  dropFollower,
  onChunkSent,
  onFollowerHeartbeat,
  onFollowerLinkClosed,
  onPrimaryMessage,
  watchFollower,
} from "./primary-follower.ts";
import type { RunnerRequest } from "./record-view.ts";
import { releaseAllowed } from "./release.ts";
import { followSuccessor, leaveBy, waitForSuccessor } from "./roles.ts";
import type { Turn } from "./turn.ts";

export function onPrimaryInput(
  state: PairState,
  role: Primary,
  input: PairInput,
  turn: Turn,
): PairState {
  switch (input.kind) {
    case "tick":
      return withPrimary(state, watchFollower(role, state.config, turn));
    case "heartbeat":
      return withPrimary(state, onFollowerHeartbeat(role, input.nonce, turn));
    case "executor":
      return onPrimaryExecutor(state, role, input.event, turn);
    case "message":
      return withPrimary(state, onPrimaryMessage(state, role, input.link, input.message, turn));
    case "linkClosed":
      return withPrimary(state, onFollowerLinkClosed(role, input.link, turn));
    case "chunkSent":
      return withPrimary(state, onChunkSent(role, input.id, turn));
    case "guestInput":
      turn.command({ kind: "input", input: input.input });
      return state;
    case "powerOff":
      turn.command({ kind: "input", input: { kind: "powerOff" } });
      return state;
    case "terminate":
      if (role.leaving !== null) return state;
      return withPrimary(state, {
        ...role,
        leaving: { kind: "waiting", ...leaveBy(state, null, turn) },
      });
    case "answer":
    case "recordRead":
      return withPrimary(state, { ...role, lookMs: turn.nowMs + aloneLookMs });
    case "dialled":
      turn.hangUp(input.link);
      return state;
    case "wrongKey":
    case "dialFailed":
    case "noAnswer":
    case "recordUnreadable":
      return state;
  }
  return unreachable(input);
}

/** What the record and the state of the pair now call for. */
export function reviewPrimary(state: PairState, role: Primary, turn: Turn): PairState {
  const { known } = state.view;
  if (known === null || known.primary !== state.config.nonce) {
    return onNamedNoMore(state, role, turn);
  }
  const settled = settleFollower(role, known, turn);
  const released = releaseAllowed(state, settled, turn);
  const ready = continueLeaving(released, turn);
  const wanted = wantedRequest(state, ready);
  const asked = wanted === null ? state : turn.ask(state, wanted);
  return lookWhileAlone(asked, ready, turn);
}

/**
 * A backup's acknowledgements say that nobody has taken over. Who has none looks at the record now and
 * then: somebody may have had the VM begun anew elsewhere, or deleted it. What a request of its own
 * brings to light needs no look besides, and no answer changes nothing.
 */
function lookWhileAlone(state: PairState, role: Primary, turn: Turn): PairState {
  const isPaired = role.follower?.phase.kind === "paired";
  const isDue = turn.nowMs >= role.lookMs;
  if (isPaired || state.asking || !isDue) return withPrimary(state, role);
  const looking = turn.read(state);
  const lookMs = looking === state ? role.lookMs : turn.nowMs + aloneLookMs;
  return withPrimary(looking, { ...role, lookMs });
}

/** A later record names somebody else: handed over, stopped, or superseded. */
function onNamedNoMore(state: PairState, role: Primary, turn: Turn): PairState {
  const { known } = state.view;
  const { nonce } = state.config;
  const { follower, leaving } = role;
  if (known?.backup === nonce && known.primary !== null && leaving?.kind === "draining") {
    return followSuccessor(state, role, { ...leaving, primary: known.primary }, turn);
  }
  if (known !== null && known.primary === null) {
    const link = follower?.link ?? null;
    turn.send(link, { kind: "bye", reason: "powered off", message: "the VM is off" });
    if (leaving?.kind === "poweringOff") {
      const message = `told to leave, it had nobody to hand over to, and switched the VM off at epoch ${known.epoch}`;
      return turn.stop(state, "left alone", message);
    }
    return turn.stop(state, "stopped", `the VM was stopped at epoch ${known.epoch}`);
  }
  const message = `the record at epoch ${known?.epoch} names ${known?.primary} as primary`;
  return turn.stop(state, "superseded", message);
}

/** What the record, as known, says about the follower. */
function settleFollower(role: Primary, record: VmRecord, turn: Turn): Primary {
  const { follower } = role;
  const { backup, epoch } = record;
  if (follower === null) return role;
  if (backup === follower.nonce && follower.phase.kind === "gated") {
    turn.report({ kind: "paired", backup, epoch });
    turn.send(follower.link, { kind: "recordChanged", record });
    return { ...role, follower: { ...follower, phase: { kind: "paired" } } };
  }
  const counted = ["paired", "dismissed", "lost"].includes(follower.phase.kind);
  if (backup !== null || !counted) return role;
  turn.send(follower.link, { kind: "bye", reason: "stopping", message: "needed no more" });
  return dropFollower(role, turn);
}

/** The request that would bring the record to what the pair is; null when it is so. */
function wantedRequest(state: PairState, role: Primary): RunnerRequest | null {
  const { known, unsettled } = state.view;
  if (known === null) return null;
  const base = { vm: state.config.vm, runner: state.config.nonce, epoch: known.epoch };
  const { follower } = role;
  const standing = follower?.phase.kind === "gated" || follower?.phase.kind === "paired";
  const partner = standing ? follower?.nonce : null;
  const asked = unsettled.flatMap((r) => (r.kind === "pair" ? [r.backup] : []));
  const named = known.backup === null ? asked : [known.backup, ...asked];
  if (named.some((nonce) => nonce !== partner)) return { kind: "alone", ...base };
  if (role.poweredOff !== null) {
    return role.hold.held.length === 0 ? { kind: "stop", ...base } : null;
  }
  if (follower?.phase.kind === "gated") {
    const caughtUp = follower.acked >= role.hold.released;
    return caughtUp ? { kind: "pair", backup: follower.nonce, ...base } : null;
  }
  return drained(role) ? { kind: "handover", ...base } : null;
}

/** A planned hand-over, one step at a time; with nobody to hand over to, the VM is switched off. */
function continueLeaving(role: Primary, turn: Turn): Primary {
  if (role.leaving === null || !role.live || role.poweredOff !== null) return role;
  const { follower } = role;
  const { untilMs } = role.leaving;
  switch (role.leaving.kind) {
    case "waiting":
      if (follower?.phase.kind === "paired") {
        turn.command({ kind: "pause" });
        return { ...role, leaving: { kind: "pausing", untilMs } };
      }
      // Another half is there, or was a moment ago.
      if (follower !== null) return { ...role, leaving: waitForSuccessor(role.leaving, turn) };
      if (turn.nowMs < untilMs) return role;
      turn.command({ kind: "input", input: { kind: "powerOff" } });
      return { ...role, leaving: { kind: "poweringOff", untilMs } };
    case "draining":
      if (follower !== null) return role;
      turn.command({ kind: "record", inputs: [] });
      return { ...role, leaving: waitForSuccessor(role.leaving, turn) };
    case "pausing":
    case "poweringOff":
      return role;
  }
  return unreachable(role.leaving);
}

/** The recorder stands, everything was executed by the backup, and nothing is held. */
function drained(role: Primary): boolean {
  const { leaving, follower, hold } = role;
  if (leaving?.kind !== "draining" || follower?.phase.kind !== "paired") return false;
  return follower.executed >= leaving.next - 1 && hold.held.length === 0;
}

function withPrimary(state: PairState, role: Primary): PairState {
  return { ...state, role };
}
