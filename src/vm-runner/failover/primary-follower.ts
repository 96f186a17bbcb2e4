/** The primary's side of its follower: acceptance, state transfer, acknowledgements, loss. */
import { assert, unreachable } from "../../shared/assert.ts";
import type { Nonce } from "../../shared/protocol/record.ts";
import { batchesFrom, dropThrough, emptyLog } from "../logging-channel/log-buffer.ts";
import type { Ack, ChannelMessage, Hello, RefuseReason } from "../logging-channel/messages.ts";
import type { ExecutorEvent } from "../replay/executor-protocol.ts";
import { cpuLimitIntervalMs, nextCpuLimit } from "./cpu-limit.ts";
import { excuseStandstill, lossOf, newWatch } from "./failure-detector.ts";
import { caughtUpMsOf } from "./pair-timings.ts";
import type {
  FollowerOfMine,
  FollowerPhase,
  Link,
  PairConfig,
  PairState,
  Primary,
} from "./pair-types.ts";
import type { Turn } from "./turn.ts";

/** From the snapshot's entry on the log is kept and sent. */
export function wantsLog(follower: FollowerOfMine): boolean {
  return follower.phase.kind !== "snapshot" && follower.phase.kind !== "lost";
}

/** Forgets a follower that the record does not name and no request of ours can name. */
export function dropFollower(role: Primary, turn: Turn): Primary {
  const { follower } = role;
  if (follower === null) return role;
  if (follower.phase.kind === "streaming") {
    turn.command({ kind: "releaseSnapshot", id: follower.phase.transfer });
  }
  turn.hangUp(follower.link);
  if (role.cpuLimit < 1) turn.command({ kind: "cpuLimit", share: 1 });
  return { ...role, follower: null, log: emptyLog(role.log.next), cpuLimit: 1 };
}

export function excusePrimary(state: PairState, nowMs: number): PairState {
  const { role } = state;
  if (role.kind !== "primary" || role.follower === null) return state;
  const watch = excuseStandstill(role.follower.watch, nowMs);
  return { ...state, role: { ...role, follower: { ...role.follower, watch } } };
}

export function onFollowerHeartbeat(role: Primary, nonce: Nonce, turn: Turn): Primary {
  const { follower } = role;
  if (follower === null || follower.nonce !== nonce) return role;
  return withWatch(role, follower, { heartbeatMs: turn.nowMs });
}

export function onPrimaryMessage(
  state: PairState,
  role: Primary,
  link: Link,
  message: ChannelMessage,
  turn: Turn,
): Primary {
  if (message.kind === "hello") return onHello(state, role, link, message, turn);
  const { follower } = role;
  if (follower === null || follower.link !== link) return role;
  switch (message.kind) {
    case "ack":
      return onAck(state.config, role, follower, message, turn);
    case "bye":
      return loseFollower(role, follower, message.message, turn);
    default:
      turn.report({ kind: "badMessage", message: `${message.kind} from the follower` });
      turn.hangUp(link);
      return onFollowerLinkClosed(role, link, turn);
  }
}

/** A candidate asks to be paired, or the follower comes back after a broken connection. */
function onHello(state: PairState, role: Primary, link: Link, hello: Hello, turn: Turn): Primary {
  const { follower } = role;
  if (follower?.nonce === hello.nonce) return reconnect(state, role, follower, link, hello, turn);
  const refusal = refusalOf(state, role, hello);
  if (refusal !== null) {
    turn.send(link, { kind: "refuse", ...refusal });
    turn.hangUp(link);
    return role;
  }
  const transfer = role.nextTransfer;
  turn.send(link, welcomeOf(state, role));
  turn.command({ kind: "takeSnapshot", id: transfer });
  turn.report({ kind: "transferStarted", id: transfer });
  const accepted: FollowerOfMine = {
    nonce: hello.nonce,
    link,
    watch: newWatch(turn.nowMs),
    acked: -1,
    executed: -1,
    executedUs: 0,
    phase: { kind: "snapshot", transfer, sinceMs: turn.nowMs },
  };
  return { ...role, follower: accepted, nextTransfer: transfer + 1, snapshotAsked: transfer };
}

function welcomeOf({ config, life }: PairState, role: Primary): ChannelMessage {
  assert(life !== null, "a primary knows in which life it is");
  return { kind: "welcome", nonce: config.nonce, life, next: role.log.next };
}

function refusalOf(
  state: PairState,
  role: Primary,
  hello: Hello,
): { reason: RefuseReason; message: string } | null {
  if (!role.live) return { reason: "busy", message: "this primary is not live yet" };
  if (role.poweredOff !== null) return { reason: "busy", message: "the VM is switched off" };
  if (role.snapshotAsked !== null) {
    return { reason: "busy", message: "a snapshot for an earlier candidate is being taken" };
  }
  if (role.follower !== null || state.view.known?.backup !== null) {
    return { reason: "pair complete", message: "this primary has a follower" };
  }
  if (hello.received !== -1) {
    return { reason: "log gone", message: "only a fresh runner can join: it has a log of its own" };
  }
  return null;
}

function reconnect(
  state: PairState,
  role: Primary,
  follower: FollowerOfMine,
  link: Link,
  hello: Hello,
  turn: Turn,
): Primary {
  const missed = wantsLog(follower) ? batchesFrom(role.log, hello.received + 1) : null;
  if (missed === null || follower.phase.kind === "streaming") {
    const message = `the log from entry ${hello.received + 1} on is not kept for this runner`;
    turn.send(link, { kind: "refuse", reason: "log gone", message });
    turn.hangUp(link);
    return role;
  }
  if (follower.link !== null) turn.hangUp(follower.link);
  turn.send(link, welcomeOf(state, role));
  for (const batch of missed) turn.send(link, { kind: "batch", batch });
  // Saying how far it has come is an acknowledgement: those sent before may be lost.
  const acked = Math.max(follower.acked, hello.received);
  const log = dropThrough(role.log, acked);
  const seen = { closedMs: null, refused: false, logMs: turn.nowMs };
  return withWatch({ ...role, log }, { ...follower, link, acked }, seen);
}

/** The executor continues in a fresh instance; from this entry on the log is kept. */
export function onSnapshotTaken(
  role: Primary,
  event: Extract<ExecutorEvent, { kind: "snapshotTaken" }>,
  turn: Turn,
): Primary {
  const { id, index, memoryBytes, devices, pauseMs } = event;
  turn.report({ kind: "snapshotTaken", id, pauseMs });
  const { follower } = role;
  if (follower?.phase.kind !== "snapshot" || follower.phase.transfer !== id) {
    turn.command({ kind: "releaseSnapshot", id });
    return { ...role, snapshotAsked: null };
  }
  turn.send(follower.link, { kind: "snapshotBegin", id, index, memoryBytes, devices });
  // Two chunks are under way: one is read while the other is compressed and sent.
  turn.command({ kind: "readSnapshot", id });
  turn.command({ kind: "readSnapshot", id });
  const { sinceMs } = follower.phase;
  const phase: FollowerPhase = {
    kind: "streaming",
    transfer: id,
    sinceMs,
    index,
    complete: false,
  };
  const served = { ...follower, acked: index - 1, executed: index - 1, phase };
  return { ...role, follower: served, snapshotAsked: null };
}

export function onSnapshotChunk(
  role: Primary,
  event: Extract<ExecutorEvent, { kind: "snapshotChunk" }>,
  turn: Turn,
): Primary {
  const { follower } = role;
  if (follower?.phase.kind !== "streaming" || follower.phase.transfer !== event.id) return role;
  const { id, offset, bytes, hash } = event;
  turn.send(follower.link, { kind: "snapshotChunk", id, offset, bytes });
  if (hash === null) return role;
  turn.send(follower.link, { kind: "snapshotEnd", id, hash });
  turn.command({ kind: "releaseSnapshot", id });
  return { ...role, follower: { ...follower, phase: { ...follower.phase, complete: true } } };
}

export function onChunkSent(role: Primary, id: number, turn: Turn): Primary {
  const phase = role.follower?.phase;
  if (phase?.kind === "streaming" && phase.transfer === id && !phase.complete) {
    turn.command({ kind: "readSnapshot", id });
  }
  return role;
}

/** Acknowledged entries need not be kept; executed ones tell the lag. */
function onAck(
  config: PairConfig,
  role: Primary,
  follower: FollowerOfMine,
  ack: Ack,
  turn: Turn,
): Primary {
  const possible = ack.received < role.log.next && ack.executed <= ack.received;
  if (!possible || ack.received < follower.acked) {
    const problem = `acknowledged entry ${ack.received} and executed ${ack.executed}, last sent ${role.log.next - 1}`;
    turn.report({ kind: "badMessage", message: problem });
    return loseFollower(role, follower, problem, turn);
  }
  if (ack.received > follower.acked) {
    turn.report({ kind: "acknowledged", through: ack.received });
  }
  const moved = ack.executed > follower.executed || ack.executed === ack.received;
  const acked: FollowerOfMine = {
    ...follower,
    acked: ack.received,
    executed: ack.executed,
    executedUs: ack.executedUs,
    watch: {
      ...follower.watch,
      logMs: turn.nowMs,
      executionMs: moved ? turn.nowMs : follower.watch.executionMs,
    },
  };
  const log = dropThrough(role.log, ack.received);
  return advance(config, { ...role, log, follower: acked }, acked, turn);
}

/** From streaming to catching up to gated, as the executed index comes near. */
function advance(
  { timings }: PairConfig,
  role: Primary,
  follower: FollowerOfMine,
  turn: Turn,
): Primary {
  const { phase } = follower;
  if (phase.kind === "streaming" && phase.complete && follower.executed >= phase.index) {
    const ms = turn.nowMs - phase.sinceMs;
    turn.report({ kind: "transferFinished", id: phase.transfer, ms });
    const watch = { ...follower.watch, executionMs: turn.nowMs };
    const catchingUp: FollowerPhase = { kind: "catchingUp", sinceMs: phase.sinceMs };
    return { ...role, follower: { ...follower, watch, phase: catchingUp } };
  }
  if (phase.kind === "catchingUp" && lagMsOf(role, follower) <= caughtUpMsOf(timings)) {
    return { ...role, follower: { ...follower, phase: { kind: "gated" } } };
  }
  return role;
}

export interface ExecutionLag {
  /** Log entries that the follower has yet to execute. */
  readonly entries: number;
  /** Guest time by which it is behind. */
  readonly ms: number;
}

/** Null: there is no follower, or it has no state yet from which it could execute. */
export function executionLagOf(role: Primary): ExecutionLag | null {
  const { follower } = role;
  if (follower === null || !executes(follower)) return null;
  return { entries: role.log.next - 1 - follower.executed, ms: lagMsOf(role, follower) };
}

function executes({ phase }: FollowerOfMine): boolean {
  return phase.kind === "catchingUp" || phase.kind === "gated" || phase.kind === "paired";
}

function lagMsOf(role: Primary, follower: FollowerOfMine): number {
  const behind = follower.executed < role.log.next - 1;
  return behind ? Math.max(0, (role.timeUs - follower.executedUs) / 1000) : 0;
}

export function onFollowerLinkClosed(role: Primary, link: Link, turn: Turn): Primary {
  const { follower } = role;
  if (follower === null || follower.link !== link) return role;
  const cut = { ...follower, link: null };
  if (follower.phase.kind === "snapshot" || follower.phase.kind === "streaming") {
    return loseFollower(role, cut, "connection closed during the state transfer", turn);
  }
  return withWatch(role, cut, { closedMs: follower.watch.closedMs ?? turn.nowMs });
}

/** On each tick: is the follower still there, and does it keep up? */
export function watchFollower(role: Primary, config: PairConfig, turn: Turn): Primary {
  const { follower } = role;
  if (follower === null || follower.phase.kind === "lost") return role;
  const watch = seenIdle(role, follower, turn.nowMs);
  const silence = lossOf(watch, config.timings, turn.nowMs);
  const loss = silence ?? transferLoss(role, follower, config.bounds, turn.nowMs);
  if (loss !== null) return loseFollower(role, follower, loss, turn);
  return limitCpu(config, withWatch(role, follower, watch), follower, turn);
}

/** With nothing to acknowledge or to execute, silence says nothing. */
function seenIdle(role: Primary, follower: FollowerOfMine, nowMs: number): FollowerOfMine["watch"] {
  const { watch, phase } = follower;
  const last = role.log.next - 1;
  return {
    ...watch,
    logMs: phase.kind === "snapshot" || follower.acked >= last ? nowMs : watch.logMs,
    executionMs: !executes(follower) || follower.executed >= last ? nowMs : watch.executionMs,
  };
}

function transferLoss(
  role: Primary,
  follower: FollowerOfMine,
  bounds: PairConfig["bounds"],
  nowMs: number,
): string | null {
  const { transferLogBytesMax, transferTimeoutMs } = bounds;
  const { phase } = follower;
  switch (phase.kind) {
    case "snapshot":
    case "streaming":
    case "catchingUp":
      break;
    default:
      return null;
  }
  if (role.log.bytes > transferLogBytesMax) {
    return `more than ${transferLogBytesMax} bytes of log during the state transfer`;
  }
  const ms = nowMs - phase.sinceMs;
  return ms > transferTimeoutMs ? `state transfer not finished after ${ms} ms` : null;
}

/**
 * A follower that the record may name keeps counting until `alone` is granted; one that it cannot
 * name is forgotten at once. Either way it is hung up on: it comes back as a new candidate.
 */
function loseFollower(
  role: Primary,
  follower: FollowerOfMine,
  reason: string,
  turn: Turn,
): Primary {
  turn.report({ kind: "followerLost", nonce: follower.nonce, reason });
  const { phase } = follower;
  switch (phase.kind) {
    case "snapshot":
    case "streaming":
      turn.report({ kind: "transferFailed", id: phase.transfer, message: reason });
      return dropFollower({ ...role, follower }, turn);
    case "catchingUp":
      return dropFollower({ ...role, follower }, turn);
    case "gated":
    case "paired":
    case "dismissed":
    case "lost":
      turn.hangUp(follower.link);
      return {
        ...role,
        log: emptyLog(role.log.next),
        follower: { ...follower, link: null, phase: { kind: "lost" } },
      };
  }
  return unreachable(phase);
}

function limitCpu(
  { timings }: PairConfig,
  role: Primary,
  follower: FollowerOfMine,
  turn: Turn,
): Primary {
  const lag = executionLagOf({ ...role, follower });
  if (lag === null || turn.nowMs - role.cpuLimitMs < cpuLimitIntervalMs) return role;
  turn.report({ kind: "lag", ...lag });
  const aboveMs = lag.ms - timings.lagTargetMs;
  const isCatchingUp = follower.phase.kind === "catchingUp";
  const cpuLimit = nextCpuLimit(role.cpuLimit, aboveMs, isCatchingUp);
  if (cpuLimit !== role.cpuLimit) turn.command({ kind: "cpuLimit", share: cpuLimit });
  return { ...role, cpuLimit, cpuLimitMs: turn.nowMs };
}

function withWatch(
  role: Primary,
  follower: FollowerOfMine,
  seen: Partial<FollowerOfMine["watch"]>,
): Primary {
  return { ...role, follower: { ...follower, watch: { ...follower.watch, ...seen } } };
}
