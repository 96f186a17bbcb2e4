/**
 * What Lockstep promises on a real cluster. The promises are in `promises/`, a file for each kind; they
 * share one cluster, because to bring one up for each would take longer than all of them.
 */
import { afterEach } from "@jest/globals";
import { describeWithNodes, unlessSkipped } from "../e2e/with-nodes.ts";
import { badInput } from "./promises/bad-input.ts";
import { controlPlane } from "./promises/control-plane.ts";
import { cutOff } from "./promises/cut-off.ts";
import { drains } from "./promises/drain.ts";
import { examples } from "./promises/examples.ts";
import { firstSteps } from "./promises/first-steps.ts";
import { lostNode } from "./promises/lost-node.ts";
import { lostRunner } from "./promises/lost-runner.ts";
import { many } from "./promises/many.ts";
import { policies } from "./promises/policies.ts";
import { power } from "./promises/power.ts";
import { upgrades } from "./promises/upgrade.ts";
import { withLockstep } from "./with-lockstep.ts";

const timeoutMs = 420_000;

describeWithNodes(`Lockstep on a cluster of three nodes${unlessSkipped}`, () => {
  const lockstep = withLockstep();
  afterEach(() => lockstep().mend(), timeoutMs);

  firstSteps(lockstep, timeoutMs);
  lostRunner(lockstep, timeoutMs);
  lostNode(lockstep, timeoutMs);
  cutOff(lockstep, timeoutMs);
  controlPlane(lockstep, timeoutMs);
  drains(lockstep, timeoutMs);
  upgrades(lockstep, timeoutMs);
  policies(lockstep, timeoutMs);
  power(lockstep, timeoutMs);
  badInput(lockstep, timeoutMs);
  examples(lockstep, timeoutMs);
  many(lockstep, timeoutMs);
});
