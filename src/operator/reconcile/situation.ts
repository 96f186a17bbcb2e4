/** All that was found out and decided in one pass; status and conditions are told from it. */
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { RunnerEnd } from "../api/v1alpha1.ts";
import type { Life } from "./life.ts";
import type { ObjectsOutlook } from "./objects.ts";
import type { PairSight } from "./sight.ts";

/** Of a machine that has a record. */
export interface Situation {
  readonly record: VmRecord;
  readonly sight: PairSight;
  readonly life: Life;
  readonly objects: ObjectsOutlook;
  readonly ends: readonly RunnerEnd[];
  /** Something is on its way to what the spec says. */
  readonly isActing: boolean;
}
