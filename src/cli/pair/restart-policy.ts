/** When a half that ended is started again, as a pure function of what happened to it before. */

export interface HalfHistory {
  /** When it ended without having been useful, in milliseconds, oldest first. */
  readonly failuresMs: readonly number[];
  readonly divergencesMs: readonly number[];
}

export const emptyHistory: HalfHistory = { failuresMs: [], divergencesMs: [] };

export interface HalfEnd {
  readonly atMs: number;
  /** It exited because its state differs from the primary's. */
  readonly diverged: boolean;
}

export type RestartDecision =
  | { readonly kind: "restart"; readonly delayMs: number }
  /** The same guest diverges again and again: another try would only use the machine. */
  | { readonly kind: "diverged"; readonly count: number }
  | { readonly kind: "give up"; readonly count: number };

const divergencesMax = 3;
const divergenceWindowMs = 600_000;
/** Ends older than this are forgotten. */
const failureWindowMs = 60_000;
/** So many ends in the window are answered at once: a kill is no reason to wait. */
const freeRestarts = 4;
const firstDelayMs = 500;
const delayMsMax = 15_000;
const failuresMax = 12;

/** Adds the end to the half's history and decides. */
export function planRestart(
  history: HalfHistory,
  end: HalfEnd,
): { readonly history: HalfHistory; readonly decision: RestartDecision } {
  const failuresMs = [
    ...history.failuresMs.filter((ms) => end.atMs - ms < failureWindowMs),
    end.atMs,
  ];
  const divergencesMs = [
    ...history.divergencesMs.filter((ms) => end.atMs - ms < divergenceWindowMs),
    ...(end.diverged ? [end.atMs] : []),
  ];
  const next = { failuresMs, divergencesMs };
  return { history: next, decision: decide(next) };
}

function decide({ failuresMs, divergencesMs }: HalfHistory): RestartDecision {
  if (divergencesMs.length >= divergencesMax) {
    return { kind: "diverged", count: divergencesMs.length };
  }
  const count = failuresMs.length;
  if (count >= failuresMax) return { kind: "give up", count };
  if (count <= freeRestarts) return { kind: "restart", delayMs: 0 };
  const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** (count - freeRestarts - 1));
  return { kind: "restart", delayMs };
}
