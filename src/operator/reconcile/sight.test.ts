import { expect, test } from "@jest/globals";
import {
  defaultSpec,
  killed,
  machine,
  newRunner,
  node,
  nodes,
  record,
  report,
  runner,
  seen,
} from "../../../test/operator/observations.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { ObservedNode, ObservedPod } from "./observation.ts";
import { isOutdated, needsNewestNode, needsNewestRecord, seePair } from "./sight.ts";

const pair = record(2, 1, 2);

test.each([
  ["one of a living pair", [runner(1, { role: "primary" }), runner(2, { role: "backup" })], false],
  ["one that was never named, and lives", [runner(1, { role: "primary" }), newRunner(5)], false],
  // It may have been named after the record was last heard of: then it is the proof.
  ["one that was never named as far as was heard, and has ended", [runner(5, killed)], true],
  // The label is newer than the record that was heard of, or the runner has lost.
  ["one that was named, and is not by this record", [runner(5, { role: "backup" })], true],
])("the record is read again before anything follows for %s: %j", (_, pods, again) => {
  expect(needsNewestRecord(machine(), pair, pods, nodes())).toBe(again);
});

test("it is read again when a runner knows more, when it was changed, and before a backup is ended", () => {
  const living = [runner(1, { role: "primary" }), runner(2, { role: "backup" })];
  const asked = (vm: FTVirtualMachine, pods: ObservedPod[] = living) =>
    needsNewestRecord(vm, pair, pods, nodes());
  const ahead = report({ epoch: 3 });
  expect(asked(machine(), [runner(1, { role: "primary", report: ahead })])).toBe(true);
  const off = { ...defaultSpec.faultTolerance, enabled: false };
  expect(asked(machine({ faultTolerance: off }))).toBe(true);
  const seen = { epoch: 2, primary: { pod: "web-runner-1" }, backup: { pod: "web-runner-2" } };
  expect(asked({ ...machine(), status: seen })).toBe(false);
  expect(asked({ ...machine(), status: { ...seen, backup: { pod: "web-runner-9" } } })).toBe(true);
});

test.each<[string, Partial<ObservedNode> | null, boolean]>([
  ["its Node object was deleted", null, true],
  ["its node is out of service, and silent", { outOfService: true, ready: false }, true],
  [
    "its node is out of service, as somebody says, and its kubelet reports",
    { outOfService: true },
    false,
  ],
  ["its node does not tell its boot", { bootId: null }, false],
  ["its node has booted anew", { bootId: "boot-9" }, true],
])("when %s: a runner of which nothing is heard counts as gone: %#", (_, over, gone) => {
  const where = nodes();
  const all =
    over === null
      ? new Map([...where].filter(([name]) => name !== "node-1"))
      : nodes(node("node-1", over));
  const sight = (pod: ObservedPod) =>
    seePair(seen({ pods: [pod], nodes: all }), pair, 1).runners[0];
  expect(sight(runner(1, { role: "primary" }))?.gone).toBe(gone);
  // One that answers belies whoever says that its node is off; a boot id is no hearsay.
  const isHearsay = over?.bootId !== "boot-9";
  expect(sight(runner(1, { role: "primary", report: report({}) }))?.gone).toBe(gone && !isHearsay);
});

test("a record of an epoch before the one in the status is old, and is read again", () => {
  expect(isOutdated(pair, { ...machine(), status: { epoch: 3 } })).toBe(true);
  expect(isOutdated(pair, { ...machine(), status: { epoch: 2 } })).toBe(false);
});

test.each([
  ["its boot is noted, and the node's", runner(2), node("node-2"), false],
  ["it waits for its start", newRunner(5, { node: "node-2" }), node("node-2"), false],
  ["its end is known", runner(2, killed), node("node-2", { bootId: "boot-9" }), false],
  // What is noted of a node as it was before would later look like a node that booted anew.
  ["its boot is to be noted", runner(2, { bootId: null }), node("node-2"), true],
  ["its node booted anew", runner(2), node("node-2", { bootId: "boot-9" }), true],
  ["somebody says that its node is off", runner(2), node("node-2", { outOfService: true }), true],
])("of a runner's node, where %s: it is read again before that counts", (_, pod, [, of], again) => {
  expect(needsNewestNode(pod, of)).toBe(again);
});
