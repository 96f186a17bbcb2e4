/** How full the buffers of a runner are, against what each may hold at most. */
import { consoleHistoryBytes } from "../../../src/shared/limits.ts";
import type { PairState } from "../../../src/vm-runner/failover/pair-types.ts";
import type { Happening } from "../events.ts";

/** What the entries may add by which the recorder is ahead when it hears that the log is full. */
const overshootBytes = 4 * 1024;
/** The same of entries that a flood of frames has filled: some ten, of `ringFrames` frames each. */
const floodBytes = 64 * 1024;

/** Entries that waited during a transfer, which has a bound of another kind. */
const inTransfer = "entries in transfer";

interface Fill {
  readonly buffer: string;
  readonly size: number;
  readonly limit: number;
}

/** Tells of every buffer that is fuller than it ever was, in steps of an eighth of its limit. */
export function reportBuffers(
  runner: { readonly nonce: string; readonly state: PairState },
  known: Map<string, number>,
  world: { readonly outside: unknown; emit(happening: Happening): void },
): void {
  const ahead = overshootBytes + (world.outside === null ? 0 : floodBytes);
  for (const { buffer, size, limit } of fillsOf(runner.state, known, ahead)) {
    const before = known.get(buffer) ?? 0;
    if (size <= limit ? size < before + limit / 8 : size <= before) continue;
    known.set(buffer, size);
    world.emit({ kind: "buffer", process: runner.nonce, buffer, size, limit });
  }
}

/** `aheadBytes`: see `overshootBytes`. */
function fillsOf(
  { role, config }: PairState,
  known: Map<string, number>,
  aheadBytes: number,
): readonly Fill[] {
  const { logBufferBytesMax, unacknowledgedEntriesMax, transferLogBytesMax } = config.bounds;
  const { recorderAheadEntriesMax } = config.bounds;
  if (role.kind === "follower" && role.machine.kind === "restoring") {
    const size = role.machine.waitingBytes;
    return [{ buffer: "log of a candidate", size, limit: transferLogBytesMax }];
  }
  if (role.kind !== "primary") return [];
  const { log, hold, follower } = role;
  const transferring = follower !== null && isTransfer(follower.phase.kind);
  const entries = log.next - (log.batches.first?.first ?? log.next);
  const bytesMax = transferring ? transferLogBytesMax : logBufferBytesMax;
  const held = { buffer: "held outputs", size: hold.heldBytes, limit: consoleHistoryBytes };
  const kept = { buffer: "log", size: log.bytes, limit: bytesMax + aheadBytes };
  const egressMax = config.bounds.heldEgressBytesMax;
  const frames = { buffer: "held frames", size: hold.heldEgressBytes, limit: egressMax };
  if (transferring) {
    known.set(inTransfer, entries);
    return [held, kept, frames];
  }
  // What waited when the candidate had caught up is more than a backup may leave waiting.
  const before = known.get(inTransfer) ?? 0;
  const limit = Math.max(unacknowledgedEntriesMax, before) + recorderAheadEntriesMax;
  return [held, kept, frames, { buffer: "unacknowledged entries", size: entries, limit }];
}

function isTransfer(phase: string): boolean {
  return phase === "snapshot" || phase === "streaming" || phase === "catchingUp";
}
