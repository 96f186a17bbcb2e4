/**
 * A runner that has executed nothing: it starts the VM, begins its life anew where the operator
 * permits it, or looks for the primary to follow.
 */

import { assert, unreachable } from "../../shared/assert.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { Candidate, Link, PairInput, PairState } from "./pair-types.ts";
import { becomePrimary, followPrimary, helloOf } from "./roles.ts";
import type { Turn } from "./turn.ts";

/** Pause before the next look at the record after a refusal or a dial; it doubles with each that fails. */
const candidateRetryMs = 100;
const candidateRetryMaxMs = 2_000;

export function onCandidateInput(
  state: PairState,
  role: Candidate,
  input: PairInput,
  turn: Turn,
): PairState {
  switch (input.kind) {
    case "recordRead":
      return dialPrimary(state, role, turn);
    case "dialled":
      turn.send(input.link, helloOf(state, -1));
      return withRole(state, {
        ...role,
        link: input.link,
        failedDials: 0,
        retryMs: turn.nowMs + state.config.timings.failureTimeoutMs,
      });
    case "dialFailed":
      return retryLater(state, { ...role, failedDials: role.failedDials + 1 }, turn);
    case "linkClosed":
      return input.link === role.link ? retryLater(state, role, turn) : state;
    case "message":
      return input.link === role.link ? onMessage(state, role, input.message, turn) : state;
    case "wrongKey":
      return turn.stop(state, "refused", input.message);
    case "terminate":
      return turn.stop(state, "stopped", "asked to stop before it executed anything");
    case "executor":
    case "tick":
    case "heartbeat":
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

export function reviewCandidate(state: PairState, role: Candidate, turn: Turn): PairState {
  const { known } = state.view;
  const { vm, nonce } = state.config;
  if (known?.primary === nonce) return becomePrimary(state, { kind: "firstLife" }, turn);
  if (known?.epoch === 0) {
    return turn.ask(state, { kind: "start", vm, runner: nonce, epoch: 0 });
  }
  if (mayRestart(state, role)) {
    const { restartEpoch: epoch } = state.config;
    assert(epoch !== null, "whoever may restart the VM was permitted to, at an epoch");
    return turn.ask(state, { kind: "restart", vm, runner: nonce, epoch, bothProvenGone: true });
  }
  if (known !== null && known.primary === null) {
    return turn.stop(state, "stopped", `the VM was stopped at epoch ${known.epoch}`);
  }
  if (turn.nowMs < role.retryMs) return state;
  if (role.link !== null) {
    turn.hangUp(role.link);
    return retryLater(state, role, turn);
  }
  return role.dialling ? state : turn.read(state);
}

/**
 * The operator has proof that everybody is gone whom the record names at one epoch; of any other
 * record it says nothing. Who has followed a primary since knows better than the operator did.
 */
function mayRestart({ config, view }: PairState, role: Candidate): boolean {
  const { restartEpoch, nonce } = config;
  if (restartEpoch === null || view.known === null || role.brokenOff > 0) return false;
  return view.known.epoch === restartEpoch && view.known.backup !== nonce;
}

function dialPrimary(state: PairState, role: Candidate, turn: Turn): PairState {
  const primary = state.view.known?.primary ?? null;
  if (primary === null || primary === state.config.nonce || role.dialling) return state;
  // Nobody is there: that is why it may restart the VM.
  if (mayRestart(state, role)) return state;
  turn.effects.push({ kind: "dial" });
  return withRole(state, { ...role, dialling: true });
}

function onMessage(
  state: PairState,
  role: Candidate,
  message: ChannelMessage,
  turn: Turn,
): PairState {
  if (role.link === null) return state;
  switch (message.kind) {
    case "welcome":
      return followPrimary(state, role, message, turn);
    case "refuse":
      return onRefuse(state, role, role.link, message, turn);
    default:
      turn.report({ kind: "badMessage", message: `${message.kind} before the welcome` });
      turn.hangUp(role.link);
      return retryLater(state, role, turn);
  }
}

function onRefuse(
  state: PairState,
  role: Candidate,
  link: Link,
  refusal: Extract<ChannelMessage, { kind: "refuse" }>,
  turn: Turn,
): PairState {
  turn.hangUp(link);
  if (refusal.reason === "another VM" || refusal.reason === "another version") {
    return turn.stop(state, "refused", refusal.message);
  }
  return retryLater(state, role, turn);
}

function retryLater(state: PairState, role: Candidate, turn: Turn): PairState {
  const pauseMs = candidateRetryMs * 2 ** Math.max(0, role.failedDials - 1);
  const retryMs = turn.nowMs + Math.min(pauseMs, candidateRetryMaxMs);
  return withRole(state, { ...role, dialling: false, link: null, retryMs });
}

function withRole(state: PairState, role: Candidate): PairState {
  return { ...state, role };
}
