/**
 * A runner that answers nobody and that the record does not name, such as a frozen one that was
 * replaced, stands in the way of a new backup. It is killed after a while: whatever it still
 * holds, nobody may see.
 */
import type { HalfId, PairView } from "./events.ts";

/** How long such a runner may be silent. */
export const silenceMaxMs = 3_000;

/** When each half fell silent, while it is. */
export type Silences = Readonly<Partial<Record<HalfId, number>>>;

export function noteSilences(before: Silences, view: PairView, nowMs: number): Silences {
  const { record } = view;
  if (record === null) return {};
  const silent = view.halves.filter(({ nonce, status }) => {
    return nonce !== null && status === null && ![record.primary, record.backup].includes(nonce);
  });
  return Object.fromEntries(silent.map(({ id }) => [id, before[id] ?? nowMs]));
}

/** The halves whose processes are to be killed. */
export function silentTooLong(silences: Silences, nowMs: number): HalfId[] {
  const ids: readonly HalfId[] = ["a", "b"];
  return ids.filter((id) => nowMs - (silences[id] ?? nowMs) > silenceMaxMs);
}
