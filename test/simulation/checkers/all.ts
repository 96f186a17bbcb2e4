/** The checkers of one run. */
import { SimulatedMachine } from "../machine/machine.ts";
import type { GuestShape, Scenario } from "../scenario.ts";
import { BoundsChecker } from "./bounds.ts";
import type { Checker } from "./checker.ts";
import { ConsistencyChecker } from "./consistency-after-failover.ts";
import { DetectionChecker } from "./detection.ts";
import { FramesInChecker } from "./frames-in.ts";
import { FramesOutChecker } from "./frames-out.ts";
import { LinearizableRecord } from "./linearizable-record.ts";
import { LivesChecker } from "./lives.ts";
import { LogTree } from "./log-tree.ts";
import { OutputRuleChecker } from "./output-rule.ts";
import { PatienceChecker } from "./patience.ts";
import { ProgressChecker } from "./progress.ts";
import { ReplayChecker } from "./replay.ts";
import { SingleLifeChecker } from "./single-life.ts";
import { Survivor } from "./survivor.ts";

/** New ones: each has seen nothing. */
export function allCheckers({ guest, patientDeath, timings, leaveWaitMs }: Scenario): Checker[] {
  return [
    new LivesChecker(() => checkersOfLife(guest)),
    new SingleLifeChecker(),
    new LinearizableRecord(),
    new ProgressChecker(patientDeath),
    new PatienceChecker(leaveWaitMs),
    new BoundsChecker(),
    new DetectionChecker(timings),
  ];
}

/** What is judged in each life of the VM by itself. */
export function checkersOfLife(guest: GuestShape): readonly Checker[] {
  const tree = new LogTree();
  const survivor = new Survivor(tree);
  return [
    new ReplayChecker(tree, survivor, () => new SimulatedMachine(guest)),
    new OutputRuleChecker(tree, survivor),
    new ConsistencyChecker(tree, survivor),
    new FramesOutChecker(tree, survivor),
    new FramesInChecker(tree, survivor),
  ];
}
