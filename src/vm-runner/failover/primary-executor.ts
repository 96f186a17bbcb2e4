/** What the executor says while this runner is the primary. */
import { assert, unreachable } from "../../shared/assert.ts";
import { appendBatch, emptyLog } from "../logging-channel/log-buffer.ts";
import { hasRoom, holdOutput } from "../output-rule/output-hold.ts";
import type { Batch, ExecutorEvent, RunnerOutput } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";
import type { Leaving, PairState, Primary } from "./pair-types.ts";
import { dropFollower, onSnapshotChunk, onSnapshotTaken, wantsLog } from "./primary-follower.ts";
import type { Turn } from "./turn.ts";

export function onPrimaryExecutor(
  state: PairState,
  role: Primary,
  event: ExecutorEvent,
  turn: Turn,
): PairState {
  switch (event.kind) {
    case "diverged":
      return turn.stop(state, "diverged", `diverged at step ${event.index}: ${event.what}`);
    case "trapped": {
      const message = `trapped at step ${event.index}: ${event.message}`;
      turn.send(role.follower?.link ?? null, { kind: "bye", reason: "trapped", message });
      return turn.stop(state, "trapped", message);
    }
    default:
      return { ...state, role: onProgress(state, role, event, turn) };
  }
}

type Progress = Exclude<ExecutorEvent, { kind: "diverged" | "trapped" }>;

function onProgress(state: PairState, role: Primary, event: Progress, turn: Turn): Primary {
  switch (event.kind) {
    case "recorded":
      return onRecorded(role, event.batch, turn);
    case "output":
      return onOutput(state, role, event, turn);
    case "live":
      return onLive(state, role, event, turn);
    case "paused":
      return { ...role, leaving: draining(role, event.next) };
    case "snapshotTaken":
      return onSnapshotTaken(role, event, turn);
    case "snapshotChunk":
      return onSnapshotChunk(role, event, turn);
    case "snapshotFailed":
      return onSnapshotFailed(role, event, turn);
    case "poweredOff":
      return { ...role, poweredOff: event.index };
    case "ready":
    case "executed":
    case "restored":
    case "restoreFailed":
      return role;
  }
  return unreachable(event);
}

function draining({ leaving }: Primary, next: StepIndex): Leaving {
  assert(leaving !== null, "the recorder stops for a runner that leaves");
  return { kind: "draining", next, untilMs: leaving.untilMs };
}

/** Sent at once; kept until the follower has acknowledged it. */
function onRecorded(role: Primary, batch: Batch, turn: Turn): Primary {
  const { follower } = role;
  const timed = { ...role, timeUs: batch.timeUs };
  if (follower === null || !wantsLog(follower)) {
    return { ...timed, log: emptyLog(batch.first + batch.count) };
  }
  turn.send(follower.link, { kind: "batch", batch });
  return { ...timed, log: appendBatch(role.log, batch) };
}

/** Held for the Output Rule, unless it is frames for which there is no room: those are lost. */
function onOutput(
  state: PairState,
  role: Primary,
  { index, output }: Extract<ExecutorEvent, { kind: "output" }>,
  turn: Turn,
): Primary {
  const { heldEgressBytesMax } = state.config.bounds;
  if (output.kind === "egress" && !hasRoom(role.hold, output, heldEgressBytesMax)) {
    turn.report({ kind: "egressDropped", frames: output.frames.length });
    return role;
  }
  const hold = holdOutput(role.hold, { index, output, sinceMs: turn.nowMs });
  return { ...role, hold, printed: printedAfter(role, output) };
}

function printedAfter({ printed }: Primary, output: RunnerOutput): number | null {
  return output.kind === "console" ? output.position + output.bytes.length : printed;
}

/**
 * The recorder runs: only now is the guest here, and all that it was given and has sent is known.
 * So only now are gateway and network told, at once; the record has named this runner before. After
 * a hand-over that was given up they are told again, which changes nothing.
 */
function onLive(
  state: PairState,
  role: Primary,
  { printed, announcement }: Extract<ExecutorEvent, { kind: "live" }>,
  turn: Turn,
): Primary {
  const { known } = state.view;
  assert(known !== null, "a primary has read the record that names it");
  assert(state.life !== null, "a primary knows in which life it is");
  turn.effects.push({ kind: "goLive", epoch: known.epoch, life: state.life, announcement });
  if (role.takeover !== null) {
    const { reason, sinceMs } = role.takeover;
    turn.report({ kind: "live", reason, afterMs: turn.nowMs - sinceMs });
  }
  return { ...role, live: true, printed, takeover: null };
}

function onSnapshotFailed(
  role: Primary,
  event: Extract<ExecutorEvent, { kind: "snapshotFailed" }>,
  turn: Turn,
): Primary {
  const { follower } = role;
  turn.report({ kind: "transferFailed", id: event.id, message: event.message });
  const answered = { ...role, snapshotAsked: null };
  const concerned = follower?.phase.kind === "snapshot" && follower.phase.transfer === event.id;
  return concerned ? dropFollower(answered, turn) : answered;
}
