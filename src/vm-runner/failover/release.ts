/** Lets outputs leave as the Output Rule allows. */
import { releaseOutputs } from "../output-rule/output-hold.ts";
import type { StepIndex } from "../replay/log-entry.ts";
import type { PairState, Primary } from "./pair-types.ts";
import { possibleBackups } from "./record-view.ts";
import { allowRecorder } from "./recorder-allowance.ts";
import type { Turn } from "./turn.ts";

export function releaseAllowed(state: PairState, role: Primary, turn: Turn): Primary {
  const through = acknowledgedByAll(state, role);
  const { hold, released } = releaseOutputs(role.hold, through);
  for (const { output, sinceMs } of released) {
    turn.effects.push({ kind: "release", output, heldMs: turn.nowMs - sinceMs });
  }
  return allowRecorder({ ...role, hold }, state.config.bounds, turn);
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
  let through = Number.MAX_SAFE_INTEGER;
  for (const nonce of counted) {
    through = Math.min(through, follower?.nonce === nonce ? follower.acked : -1);
  }
  return through;
}
