/** Lets outputs leave as the Output Rule allows, and tells the recorder when it must wait. */
import { releaseOutputs } from "../output-rule/output-hold.ts";
import type { StepIndex } from "../replay/log-entry.ts";
import type { PairBounds } from "./pair-bounds.ts";
import type { PairState, Primary } from "./pair-types.ts";
import { possibleBackups } from "./record-view.ts";
import type { Turn } from "./turn.ts";

/** An allowance without a bound. */
const unbounded = Number.MAX_SAFE_INTEGER;

export function releaseAllowed(state: PairState, role: Primary, turn: Turn): Primary {
  const through = acknowledgedByAll(state, role);
  const { hold, released } = releaseOutputs(role.hold, through);
  for (const { output, sinceMs } of released) {
    turn.effects.push({ kind: "release", output, heldMs: turn.nowMs - sinceMs });
  }
  return bound({ ...role, hold }, state.config.bounds, turn);
}

/**
 * The last entry that everybody has acknowledged who is, could by now be, or is about to be named
 * backup; -1 when this runner may no longer be the primary.
 */
function acknowledgedByAll(state: PairState, role: Primary): StepIndex {
  const backups = possibleBackups(state.view, state.config.nonce);
  if (backups === null) return -1;
  const { follower } = role;
  const counted = new Set(backups);
  if (follower?.phase.kind === "gated") counted.add(follower.nonce);
  let through = unbounded;
  for (const nonce of counted) {
    through = Math.min(through, follower?.nonce === nonce ? follower.acked : -1);
  }
  return through;
}

/** The primary waits while a buffer is full, and goes on when it is half empty. */
function bound(role: Primary, bounds: PairBounds, turn: Turn): Primary {
  const fill = Math.max(role.hold.heldBytes / bounds.heldConsoleBytesMax, logFill(role, bounds));
  const blocked = role.blocked ? fill > 0.5 : fill > 1;
  if (blocked === role.blocked) return role;
  turn.command({ kind: "allowance", through: blocked ? role.log.next - 1 : unbounded });
  return { ...role, blocked };
}

/** For a candidate the primary does not wait: when there is too much log the transfer ends. */
function logFill(role: Primary, bounds: PairBounds): number {
  const kind = role.follower?.phase.kind;
  if (kind === "snapshot" || kind === "streaming" || kind === "catchingUp") return 0;
  return Math.max(
    role.log.bytes / bounds.logBufferBytesMax,
    unacknowledged(role) / bounds.unacknowledgedEntriesMax,
  );
}

function unacknowledged(role: Primary): number {
  return role.log.batches.length === 0 ? 0 : role.log.next - (role.log.batches[0]?.first ?? 0);
}
