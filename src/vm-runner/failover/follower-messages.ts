/** What the primary says to its follower: snapshot, log, and news of the record. */
import { unreachable } from "../../shared/assert.ts";
import { Fifo } from "../../shared/fifo.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { Batch } from "../replay/executor-protocol.ts";
import type { Follower, PairState, Restoring } from "./pair-types.ts";
import { discard } from "./roles.ts";
import type { Turn } from "./turn.ts";

export function onFollowerMessage(
  state: PairState,
  role: Follower,
  message: ChannelMessage,
  turn: Turn,
): PairState {
  switch (message.kind) {
    case "batch":
      return onBatch(state, role, message.batch, turn);
    case "snapshotBegin":
      return onSnapshotBegin(state, role, message, turn);
    case "snapshotChunk":
      return onSnapshotChunk(state, role, message, turn);
    case "snapshotEnd":
      return onSnapshotEnd(state, role, message, turn);
    case "welcome":
      return onWelcome(state, role, message, turn);
    case "refuse":
      return onRefuse(state, role, turn);
    case "recordChanged": {
      const announced = Math.max(role.announced, message.record.epoch);
      return { ...state, role: { ...role, announced } };
    }
    case "bye":
      return onBye(state, role, turn);
    case "hello":
    case "ack":
      return badMessage(state, role, `${message.kind} from the primary`, turn);
  }
  return unreachable(message);
}

/** Says what was received, and what was executed by now. */
export function acknowledge(role: Follower, turn: Turn): Follower {
  const { received, executed, executedUs } = role;
  turn.send(role.link, { kind: "ack", received, executed, executedUs });
  return { ...role, reported: executed };
}

/** A batch is acknowledged when it has been received: it will be executed, whatever happens. */
function onBatch(state: PairState, role: Follower, batch: Batch, turn: Turn): PairState {
  const { machine } = role;
  if (machine.kind === "awaited") return badMessage(state, role, "batch before snapshot", turn);
  if (batch.first !== role.received + 1) {
    const problem = `batch begins at ${batch.first}, expected ${role.received + 1}`;
    return badMessage(state, role, problem, turn);
  }
  const received = role.received + batch.count;
  const watch = { ...role.watch, logMs: turn.nowMs };
  const taken = { ...role, received, watch };
  if (machine.kind === "restoring") {
    if (machine.waitingBytes + batch.bytes.length > state.config.bounds.transferLogBytesMax) {
      return discard(state, role, turn);
    }
    const waiting = batch.count === 0 ? machine : keepForLater(machine, batch);
    return { ...state, role: acknowledge({ ...taken, machine: waiting }, turn) };
  }
  // Before anything else is done with it: the primary's outputs wait for this.
  const acknowledged = acknowledge(taken, turn);
  if (batch.count > 0) turn.command({ kind: "replay", batch });
  return { ...state, role: acknowledged };
}

function keepForLater(machine: Restoring, batch: Batch): Restoring {
  return {
    ...machine,
    waiting: machine.waiting.append(batch),
    waitingBytes: machine.waitingBytes + batch.bytes.length,
  };
}

function onSnapshotBegin(
  state: PairState,
  role: Follower,
  begin: Extract<ChannelMessage, { kind: "snapshotBegin" }>,
  turn: Turn,
): PairState {
  if (role.machine.kind !== "awaited") return badMessage(state, role, "second snapshot", turn);
  const { id, index, memoryBytes, devices } = begin;
  turn.command({ kind: "beginRestore", id, memoryBytes });
  const machine: Restoring = {
    kind: "restoring",
    id,
    index,
    devices,
    waiting: Fifo.of(),
    waitingBytes: 0,
  };
  return { ...state, role: { ...role, machine, received: index - 1, executed: index - 1 } };
}

function onSnapshotChunk(
  state: PairState,
  role: Follower,
  chunk: Extract<ChannelMessage, { kind: "snapshotChunk" }>,
  turn: Turn,
): PairState {
  const { machine } = role;
  if (machine.kind !== "restoring" || machine.id !== chunk.id) {
    return badMessage(state, role, "chunk of no snapshot", turn);
  }
  const { id, offset, bytes } = chunk;
  turn.command({ kind: "restoreChunk", id, offset, bytes });
  return { ...state, role: { ...role, watch: { ...role.watch, logMs: turn.nowMs } } };
}

function onSnapshotEnd(
  state: PairState,
  role: Follower,
  end: Extract<ChannelMessage, { kind: "snapshotEnd" }>,
  turn: Turn,
): PairState {
  const { machine } = role;
  if (machine.kind !== "restoring" || machine.id !== end.id) {
    return badMessage(state, role, "end of no snapshot", turn);
  }
  const { id, index, devices } = machine;
  turn.command({ kind: "finishRestore", id, first: index, devices, hash: end.hash });
  return state;
}

/** The primary took this follower back after a broken connection. */
function onWelcome(
  state: PairState,
  role: Follower,
  welcome: Extract<ChannelMessage, { kind: "welcome" }>,
  turn: Turn,
): PairState {
  if (welcome.nonce !== role.primary) return onRefuse(state, role, turn);
  const watch = { ...role.watch, closedMs: null, refused: false, logMs: turn.nowMs };
  return { ...state, role: { ...role, watch, dialling: false } };
}

/** Another primary, or one that has given this follower up: the record decides. */
function onRefuse(state: PairState, role: Follower, turn: Turn): PairState {
  turn.hangUp(role.link);
  return gone(state, role, turn);
}

/** The primary left on purpose: no need to wait for its silence. */
function onBye(state: PairState, role: Follower, turn: Turn): PairState {
  turn.hangUp(role.link);
  if (role.machine.kind !== "standing") return discard(state, role, turn);
  return gone(state, role, turn);
}

function gone(state: PairState, role: Follower, turn: Turn): PairState {
  const closedMs = role.watch.closedMs ?? turn.nowMs;
  const watch = { ...role.watch, closedMs, refused: true };
  return { ...state, role: { ...role, link: null, dialling: false, watch } };
}

/** A peer that breaks the protocol is hung up on; the connection may be made again. */
function badMessage(state: PairState, role: Follower, message: string, turn: Turn): PairState {
  turn.report({ kind: "badMessage", message });
  if (role.machine.kind !== "standing") return discard(state, role, turn);
  turn.hangUp(role.link);
  turn.effects.push({ kind: "dial" });
  const closedMs = role.watch.closedMs ?? turn.nowMs;
  const watch = { ...role.watch, closedMs };
  return { ...state, role: { ...role, link: null, dialling: true, watch } };
}
