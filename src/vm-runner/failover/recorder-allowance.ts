/**
 * How far the recorder may go ahead (the paper, section 2.4: the log buffer is bounded, and a full
 * one makes the primary wait). It is told as absolute limits and in advance, so that they hold even
 * while this thread stands still and takes nothing in:
 *
 * - entries: a window above what was taken in, and one above what the backup has acknowledged;
 * - console bytes: a window above what was released, so that a backup's history has all that was
 *   held. A new primary's first window is known once its recorder has said where the console is.
 */
import type { StepIndex } from "../replay/log-entry.ts";
import type { PairBounds } from "./pair-bounds.ts";
import type { Allowance, Primary } from "./pair-types.ts";
import type { Turn } from "./turn.ts";

/** A limit is told again when it has moved by this share of its window. */
const tellShare = 0.25;

/** Before anything is known of what the console has printed. */
export function firstAllowance(received: StepIndex, bounds: PairBounds): Allowance {
  return { through: received + bounds.recorderAheadEntriesMax, printed: Number.MAX_SAFE_INTEGER };
}

/** Tells the recorder how far it may go, when that has changed enough. */
export function allowRecorder(role: Primary, bounds: PairBounds, turn: Turn): Primary {
  const fill = isTransferring(role) ? 0 : role.log.bytes / bounds.logBufferBytesMax;
  const logFull = role.logFull ? fill > 0.5 : fill > 1;
  const known = role.allowance;
  const wanted = { through: throughOf(role, bounds, logFull), printed: printedOf(role, bounds) };
  const window = Math.min(bounds.recorderAheadEntriesMax, bounds.unacknowledgedEntriesMax);
  const moved =
    wanted.through < known.through ||
    wanted.through - known.through >= tellShare * window ||
    wanted.printed < known.printed ||
    wanted.printed - known.printed >= tellShare * bounds.heldConsoleBytesMax;
  if (!moved) return { ...role, logFull };
  turn.command({ kind: "allowance", ...wanted });
  return { ...role, logFull, allowance: wanted };
}

function throughOf(role: Primary, bounds: PairBounds, logFull: boolean): StepIndex {
  const last = role.log.next - 1;
  if (logFull) return last;
  const ahead = last + bounds.recorderAheadEntriesMax;
  const oldest = role.log.batches.first?.first;
  if (oldest === undefined || isTransferring(role)) return ahead;
  return Math.min(ahead, oldest - 1 + bounds.unacknowledgedEntriesMax);
}

function printedOf(role: Primary, bounds: PairBounds): number {
  if (role.printed === null) return role.allowance.printed;
  return role.printed - role.hold.heldBytes + bounds.heldConsoleBytesMax;
}

/** For a candidate the primary does not wait: when there is too much log the transfer ends. */
function isTransferring({ follower }: Primary): boolean {
  const kind = follower?.phase.kind;
  return kind === "snapshot" || kind === "streaming" || kind === "catchingUp";
}
