/**
 * Deliberate bugs: what each promise of the pair is worth is seen when the code that keeps it is
 * broken. `npm run sim -- --bugs` plants them one at a time (bug-loader.ts) and runs seeds until a
 * checker sees it. Each is as small as a slip of the pen could be; where the protocol has a second
 * line of defence, a bug takes that away too.
 */

import type { CheckerName } from "../checkers/checker.ts";
import type { Shape } from "../scenario.ts";
import { consoleBugs } from "./bugs-console.ts";
import { lifeBugs } from "./bugs-life.ts";
import { networkBugs } from "./bugs-network.ts";
import { outputBugs } from "./bugs-output.ts";
import { recordBugs } from "./bugs-record.ts";
import { restartBugs } from "./bugs-restart.ts";
import { transferBugs } from "./bugs-transfer.ts";

export interface Bug {
  readonly name: string;
  /** The promise that it breaks. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Checkers that may be the first to see it. */
  readonly caughtBy: readonly CheckerName[];
  /** Of the runs that look for it; "full" when absent. */
  readonly shape?: Shape;
  /** It is caught within the seeds 1 to this one. */
  readonly seedsMax: number;
}

export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** Is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const bugs: readonly Bug[] = [
  ...outputBugs,
  ...lifeBugs,
  ...recordBugs,
  ...transferBugs,
  ...consoleBugs,
  ...networkBugs,
  ...restartBugs,
];
