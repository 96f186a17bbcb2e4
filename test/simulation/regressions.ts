/**
 * Seeds that once found something. Each has a name, and runs without a violation in every test run.
 * A seed stands for its scenario only while `draw.ts` draws the same: when that changes, look for a
 * seed that finds the old bug again (put the bug back, run `--seeds`), or drop the entry.
 */
import type { Shape } from "./command/options.ts";

export interface Regression {
  readonly seed: number;
  readonly shape: Shape;
  /** What went wrong, and what put it right. */
  readonly what: string;
}

/** Of three readers who pasted at once, bytes were dropped, and what came after them was taken. */
const paste = "each writer has a bound of its own, and nothing is taken after a gap";

export const regressions: readonly Regression[] = [
  { seed: 5, shape: "full", what: `pasted bytes were lost, and told to be accepted: ${paste}` },
  { seed: 46, shape: "full", what: `a reader who pasted stayed stuck for ever: ${paste}` },
];
