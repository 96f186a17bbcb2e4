/** What the executor says while this runner follows a primary. */
import { unreachable } from "../../shared/assert.ts";
import type { ExecutorEvent } from "../replay/executor-protocol.ts";
import type { Follower, PairState } from "./pair-types.ts";
import { discard } from "./roles.ts";
import type { Turn } from "./turn.ts";

export function onFollowerExecutor(
  state: PairState,
  role: Follower,
  event: ExecutorEvent,
  turn: Turn,
): PairState {
  switch (event.kind) {
    case "restored":
      return onRestored(state, role, event, turn);
    case "restoreFailed":
      return onRestoreFailed(state, role, event, turn);
    case "executed":
      return {
        ...state,
        role: { ...role, executed: event.index, executedUs: event.timeUs },
      };
    case "output":
      turn.effects.push({ kind: "remember", output: event.output });
      return state;
    case "poweredOff":
      return { ...state, role: { ...role, poweredOff: true } };
    case "diverged": {
      const message = `diverged at step ${event.index}: ${event.what}`;
      turn.send(role.link, { kind: "bye", reason: "diverged", message });
      return turn.stop(state, "diverged", message);
    }
    case "trapped": {
      const message = `trapped at step ${event.index}: ${event.message}`;
      turn.send(role.link, { kind: "bye", reason: "trapped", message });
      return turn.stop(state, "trapped", message);
    }
    case "ready":
    case "recorded":
    case "live":
    case "paused":
    case "snapshotTaken":
    case "snapshotChunk":
    case "snapshotFailed":
      return state;
  }
  return unreachable(event);
}

/** The machine stands at the snapshot's entry: the log that came meanwhile is next. */
function onRestored(
  state: PairState,
  role: Follower,
  event: Extract<ExecutorEvent, { kind: "restored" }>,
  turn: Turn,
): PairState {
  const { machine } = role;
  if (machine.kind !== "restoring" || machine.id !== event.id) return state;
  // Another primary numbers its transfers from the start again: this may be an older one's.
  if (machine.index !== event.first) return state;
  turn.effects.push({ kind: "remember", output: { kind: "console", ...event.history } });
  for (const batch of machine.waiting) turn.command({ kind: "replay", batch });
  return { ...state, role: { ...role, machine: { kind: "standing" } } };
}

function onRestoreFailed(
  state: PairState,
  role: Follower,
  event: Extract<ExecutorEvent, { kind: "restoreFailed" }>,
  turn: Turn,
): PairState {
  if (role.machine.kind !== "restoring" || role.machine.id !== event.id) return state;
  turn.report({ kind: "transferFailed", id: event.id, message: event.message });
  return discard(state, role, turn);
}
