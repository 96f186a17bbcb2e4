/**
 * The primary's log buffer: batches that a follower has not acknowledged, in order and without a
 * gap (the paper, section 2.4). With nobody to send them to, nothing is kept.
 */
import { assert } from "../../shared/assert.ts";
import type { Batch } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";

export interface LogBuffer {
  readonly batches: readonly Batch[];
  readonly bytes: number;
  /** The entry that the next appended batch begins with. */
  readonly next: StepIndex;
}

/** An empty buffer whose next batch begins with entry `next`. */
export function emptyLog(next: StepIndex): LogBuffer {
  return { batches: [], bytes: 0, next };
}

export function appendBatch(log: LogBuffer, batch: Batch): LogBuffer {
  assert(batch.first === log.next, `batch begins at ${batch.first}, expected ${log.next}`);
  if (batch.count === 0) return log;
  return {
    batches: [...log.batches, batch],
    bytes: log.bytes + batch.bytes.length,
    next: batch.first + batch.count,
  };
}

/** Drops the batches whose last entry is at most `through`. */
export function dropThrough(log: LogBuffer, through: StepIndex): LogBuffer {
  const kept = log.batches.findIndex((batch) => lastOf(batch) > through);
  const count = kept === -1 ? log.batches.length : kept;
  if (count === 0) return log;
  const dropped = log.batches.slice(0, count);
  const bytes = dropped.reduce((sum, batch) => sum + batch.bytes.length, 0);
  return { ...log, batches: log.batches.slice(count), bytes: log.bytes - bytes };
}

/**
 * The batches from entry `from` on, for a follower that reconnects; null when `from` is not at the
 * beginning of a kept batch (acknowledgements always end with a batch, so then it is gone).
 */
export function batchesFrom(log: LogBuffer, from: StepIndex): readonly Batch[] | null {
  if (from === log.next) return [];
  const at = log.batches.findIndex((batch) => batch.first === from);
  return at === -1 ? null : log.batches.slice(at);
}

function lastOf(batch: Batch): StepIndex {
  return batch.first + batch.count - 1;
}
