/**
 * Seeds that once found something. Each has a name, and runs without a violation in every test run.
 * A seed stands for its scenario only while `draw.ts` draws the same: when that changes, look for a
 * seed that finds the old bug again (put the bug back, run `--seeds`), or drop the entry.
 */
import type { Shape } from "./options.ts";

export interface Regression {
  readonly seed: number;
  readonly shape: Shape;
  /** What went wrong, and what put it right. */
  readonly what: string;
}

export const regressions: readonly Regression[] = [];
