/**
 * The backup asks for the record (the paper, section 2.3). It has stopped acknowledging for ever:
 * on a false alarm the primary could otherwise release outputs that the new life never heard of.
 * Meanwhile everything acknowledged is executed.
 */

import { unreachable } from "../../shared/assert.ts";
import type { PairInput, PairState, TakingOver } from "./pair-types.ts";
import { becomePrimary, leaveBy } from "./roles.ts";
import type { Turn } from "./turn.ts";

export function onTakingOverInput(
  state: PairState,
  role: TakingOver,
  input: PairInput,
  turn: Turn,
): PairState {
  switch (input.kind) {
    case "executor":
      return onExecutor(state, role, input.event, turn);
    case "dialled":
      turn.hangUp(input.link);
      return state;
    case "terminate":
      // Ending now would be the end of the VM: it is taken over first, then left in order.
      return { ...state, role: { ...role, leaving: leaveBy(state, role.leaving, turn) } };
    case "wrongKey":
    case "message":
    case "linkClosed":
    case "dialFailed":
    case "tick":
    case "heartbeat":
    case "chunkSent":
    case "answer":
    case "noAnswer":
    case "recordRead":
    case "recordUnreadable":
    case "guestInput":
    case "powerOff":
      return state;
  }
  return unreachable(input);
}

/** Named primary: it is. Named backup: ask (again). Not named: stop for good. */
export function reviewTakingOver(state: PairState, role: TakingOver, turn: Turn): PairState {
  const { known } = state.view;
  const { vm, nonce } = state.config;
  if (known?.primary === nonce) {
    return becomePrimary(state, { kind: "tookOver", from: role }, turn);
  }
  if (known?.backup === nonce) {
    return turn.ask(state, { kind: "takeover", vm, runner: nonce, epoch: known.epoch });
  }
  const reason = role.leaving !== null || known?.primary === null ? "stopped" : "superseded";
  return turn.stop(state, reason, `the record at epoch ${known?.epoch} does not name this runner`);
}

function onExecutor(
  state: PairState,
  role: TakingOver,
  event: Extract<PairInput, { kind: "executor" }>["event"],
  turn: Turn,
): PairState {
  switch (event.kind) {
    case "output":
      turn.effects.push({ kind: "remember", output: event.output });
      return state;
    case "poweredOff":
      return { ...state, role: { ...role, poweredOff: true } };
    case "diverged":
      return turn.stop(state, "diverged", `diverged at step ${event.index}: ${event.what}`);
    case "trapped":
      return turn.stop(state, "trapped", `trapped at step ${event.index}: ${event.message}`);
    default:
      return state;
  }
}
