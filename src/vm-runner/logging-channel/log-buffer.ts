/**
 * The primary's log buffer: batches that a follower has not acknowledged, in order and without a
 * gap (the paper, section 2.4). With nobody to send them to, nothing is kept.
 */
import { assert } from "../../shared/assert.ts";
import { Fifo } from "../../shared/fifo.ts";
import type { Batch } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";

export interface LogBuffer {
  readonly batches: Fifo<Batch>;
  readonly bytes: number;
  /** The entry that the next appended batch begins with. */
  readonly next: StepIndex;
}

/** An empty buffer whose next batch begins with entry `next`. */
export function emptyLog(next: StepIndex): LogBuffer {
  return { batches: Fifo.of(), bytes: 0, next };
}

export function appendBatch(log: LogBuffer, batch: Batch): LogBuffer {
  assert(batch.first === log.next, `batch begins at ${batch.first}, expected ${log.next}`);
  if (batch.count === 0) return log;
  return {
    batches: log.batches.append(batch),
    bytes: log.bytes + batch.bytes.length,
    next: batch.first + batch.count,
  };
}

/** Drops the batches whose last entry is at most `through`. */
export function dropThrough(log: LogBuffer, through: StepIndex): LogBuffer {
  const count = log.batches.countWhile((batch) => lastOf(batch) <= through);
  if (count === 0) return log;
  const dropped = log.batches.take(count);
  const bytes = dropped.reduce((sum, batch) => sum + batch.bytes.length, 0);
  return { ...log, batches: log.batches.drop(count), bytes: log.bytes - bytes };
}

/**
 * The batches from entry `from` on, for a follower that reconnects; null when `from` is not at the
 * beginning of a kept batch (acknowledgements always end with a batch, so then it is gone).
 */
export function batchesFrom(log: LogBuffer, from: StepIndex): readonly Batch[] | null {
  if (from === log.next) return [];
  const kept = log.batches.drop(log.batches.countWhile((batch) => batch.first < from));
  return kept.first?.first === from ? [...kept] : null;
}

function lastOf(batch: Batch): StepIndex {
  return batch.first + batch.count - 1;
}
