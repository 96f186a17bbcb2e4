/** The bounds of the pair's buffers, as a value: the simulator runs the core with small ones. */
import {
  heldConsoleBytesMax,
  heldEgressBytesMax,
  logBufferBytesMax,
  recorderAheadEntriesMax,
  transferLogBytesMax,
  transferTimeoutMs,
  unacknowledgedEntriesMax,
} from "../../shared/limits.ts";

export interface PairBounds {
  /** Console bytes held by the Output Rule; then the primary waits. */
  readonly heldConsoleBytesMax: number;
  /** The guest's frames held by the Output Rule; then the newest are dropped. */
  readonly heldEgressBytesMax: number;
  /** Log kept for a backup that has not acknowledged it; then the primary waits. */
  readonly logBufferBytesMax: number;
  /** Entries that the recorder may be ahead of the acknowledgements. */
  readonly unacknowledgedEntriesMax: number;
  /** Entries that the recorder may be ahead of what the pair has taken in. */
  readonly recorderAheadEntriesMax: number;
  /** Log kept for a candidate during a state transfer; then the transfer is broken off. */
  readonly transferLogBytesMax: number;
  readonly transferTimeoutMs: number;
}

/** What every runner uses. */
export const pairBounds: PairBounds = {
  heldConsoleBytesMax,
  heldEgressBytesMax,
  logBufferBytesMax,
  unacknowledgedEntriesMax,
  recorderAheadEntriesMax,
  transferLogBytesMax,
  transferTimeoutMs,
};
