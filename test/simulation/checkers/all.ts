/** The checkers of one run. */
import { SimulatedMachine } from "../machine/machine.ts";
import type { Scenario } from "../scenario.ts";
import { BoundsChecker } from "./bounds.ts";
import type { Checker } from "./checker.ts";
import { ConsistencyChecker } from "./consistency-after-failover.ts";
import { FramesInChecker } from "./frames-in.ts";
import { FramesOutChecker } from "./frames-out.ts";
import { LinearizableRecord } from "./linearizable-record.ts";
import { LogTree } from "./log-tree.ts";
import { OutputRuleChecker } from "./output-rule.ts";
import { ProgressChecker } from "./progress.ts";
import { ReplayChecker } from "./replay.ts";
import { SingleLifeChecker } from "./single-life.ts";
import { Survivor } from "./survivor.ts";

/** New ones: each has seen nothing. */
export function allCheckers({ guest, patientDeath }: Scenario): Checker[] {
  const tree = new LogTree();
  const survivor = new Survivor(tree);
  return [
    new ReplayChecker(tree, survivor, () => new SimulatedMachine(guest)),
    new OutputRuleChecker(tree, survivor),
    new SingleLifeChecker(),
    new ConsistencyChecker(tree, survivor),
    new LinearizableRecord(),
    new ProgressChecker(patientDeath),
    new BoundsChecker(),
    new FramesOutChecker(tree, survivor),
    new FramesInChecker(tree, survivor),
  ];
}
