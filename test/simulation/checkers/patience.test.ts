import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import type { Fault } from "../scenario.ts";
import { granted, typed } from "./hand-written-history.ts";
import { PatienceChecker } from "./patience.ts";

type Timed = readonly [atMs: number, happening: Happening];

const leaveWaitMs = 16_000;
const strike = (fault: Fault): Happening => ({ kind: "fault", fault });
const terminate = strike({ kind: "terminate", node: "a", restartMs: null, atMs: 0 });
const leap = strike({ kind: "clock jump", node: "a", ms: 1_600, atMs: 0 });
const powerOff = strike({ kind: "power off", atMs: 0 });
const alone: readonly Timed[] = [
  [0, { kind: "started", process: "a1", node: "a" }],
  [1, granted(1, "a1")],
];

function audit(history: readonly Timed[]): void {
  const checker = new PatienceChecker(leaveWaitMs);
  for (const [atMs, happening] of history) checker.observe({ atMs, ...happening });
  checker.finish();
}

test.each<[string, readonly Timed[]]>([
  ["off after the whole wait", [...alone, [100, terminate], [16_100, granted(2, null)]]],
  ["off by a clock that goes faster", [...alone, [100, terminate], [10_100, granted(2, null)]]],
  [
    "off by a clock that has leapt",
    [...alone, [100, terminate], [200, leap], [9_100, granted(2, null)]],
  ],
  ["off by command", [...alone, [100, terminate], [200, powerOff], [300, granted(2, null)]]],
  [
    "off by the guest",
    [...alone, [100, terminate], [200, typed(7, 0, "P")], [300, granted(2, null)]],
  ],
  [
    "off by one that was never told, and executes what another had ordered",
    [...alone, [100, terminate], [200, granted(2, "b1")], [300, granted(3, null)]],
  ],
  [
    "off by a later process of the same computer",
    [
      ...alone,
      [100, terminate],
      [200, { kind: "started", process: "a2", node: "a" }],
      [300, granted(2, "a2")],
      [400, granted(3, null)],
    ],
  ],
])("%s is no violation", (_, history) => {
  expect(() => audit(history)).not.toThrow();
});

test.each<[string, readonly Timed[]]>([
  ["too early", [...alone, [100, terminate], [10_000, granted(2, null)]]],
  [
    "counting from a later word",
    [...alone, [9_000, terminate], [18_500, terminate], [18_900, granted(2, null)]],
  ],
])("who leaves and switches the VM off %s is a violation", (_, history) => {
  expect(() => audit(history)).toThrow(
    /a1 was told to leave, and switched the VM off 9900 ms later: it is to wait 16000 ms/,
  );
});
