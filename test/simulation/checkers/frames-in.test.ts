import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { FramesInChecker } from "./frames-in.ts";
import { audit, executed, noise, record, sentFrame } from "./hand-written-history.ts";
import { LogTree } from "./log-tree.ts";
import { Survivor } from "./survivor.ts";

function check(history: readonly Happening[]): void {
  const tree = new LogTree();
  audit(new FramesInChecker(tree, new Survivor(tree)), history, { record: record(1, "a1") });
}

const entered = (serial: number, process = "gw1"): Happening => ({
  kind: "entered",
  process,
  frame: noise(serial),
});
const given = (index: number, ...takes: number[]) => executed("a1", { index, takes });
const lost = (ingress: number): Happening => ({ kind: "lost", process: "gw1", ingress, egress: 0 });
/** Serial numbers are of the whole network: not all of them come to the gateway. */
const three = [entered(3), entered(5), entered(8)];

test.each<[string, readonly Happening[]]>([
  ["all, in one entry or several", [...three, given(0, 3), given(1), given(2, 5, 8)]],
  ["not the last ones, which are on their way", [...three, given(0, 3)]],
  ["some are missing that somebody dropped", [...three, lost(1), given(0, 3, 8)]],
  ["those of another gateway begin anew", [...three, given(0, 3), entered(9, "gw2"), given(1, 9)]],
  [
    "a history that was lost may have had others",
    [...three, given(0, 3), executed("b1", { index: 0, takes: [8, 8], branch: 1, parent: 0 })],
  ],
])("no violation: %s", (_, history) => {
  expect(() => check(history)).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "one twice",
    [...three, given(0, 3), given(1, 3)],
    "entry 1 gives frame 3, number 0 of gw1, after its number 0",
  ],
  [
    "in another order",
    [...three, lost(1), given(0, 5, 3)],
    "gives frame 3, number 0 of gw1, after its number 1",
  ],
  [
    "one is left out",
    [...three, given(0, 3, 8)],
    "gives frame 8, number 2 of gw1, instead of its number 1, and nobody dropped any",
  ],
  ["the first one is left out", [...three, given(0, 5)], "instead of its number 0"],
  ["one that nobody took", [...three, given(0, 4)], "entry 0 gives frame 4, which no gateway took"],
  [
    "the guest's own",
    [{ kind: "entered", process: "gw1", frame: sentFrame(1) }],
    "the guest was given what comes from a guest",
  ],
])("a violation: %s", (_, history, message) => {
  expect(() => check(history)).toThrow(message);
});
