import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { encodeFrame } from "../machine/frames.ts";
import { FramesOutChecker } from "./frames-out.ts";
import {
  audit,
  executed,
  granted,
  noise,
  record,
  restored,
  sentFrame,
} from "./hand-written-history.ts";
import { LogTree } from "./log-tree.ts";
import { Survivor } from "./survivor.ts";

function check(history: readonly Happening[]): void {
  const tree = new LogTree();
  const checker = new FramesOutChecker(tree, new Survivor(tree));
  const records = history.flatMap((event) => (event.kind === "granted" ? [event.record] : []));
  audit(checker, history, { record: records.at(-1) ?? record(0, null) });
}

const started = (process: string): Happening => ({ kind: "gatewayStarted", process, gateway: 7 });
const attached = (runner: string, epoch: number, process = "gw1"): Happening => ({
  kind: "attached",
  ...{ process, runner, epoch },
});
const out = (frame: Uint8Array, runner: string | null, epoch: number, process = "gw1") => ({
  ...{ kind: "left" as const, process, runner, epoch, frame },
});
const left = (number: number, runner = "a1", epoch = 1, process = "gw1"): Happening =>
  out(sentFrame(number), runner, epoch, process);
const claimed = (process: string, epoch: number, known: number): Happening => ({
  kind: "claimed",
  ...{ process, epoch, known },
});
const lost = (egress: number): Happening => ({ kind: "lost", process: "a1", ingress: 0, egress });

const one: readonly Happening[] = [
  granted(1, "a1"),
  started("gw1"),
  executed("a1", { index: 0 }),
  executed("a1", {
    index: 1,
    sends: [
      [0, "state"],
      [1, "state"],
    ],
  }),
  executed("a1", { index: 2, sends: [[2, "state"]] }),
  claimed("a1", 1, 1),
  attached("a1", 1),
  left(0),
];
/** b1 gets the guest before its step 2, and takes over. */
const failover: readonly Happening[] = [
  ...one,
  restored("b1", 2),
  executed("b1", { index: 2, sends: [[2, "state"]] }),
  granted(2, "a1", "b1"),
  granted(3, "b1"),
  claimed("b1", 3, 3),
  attached("b1", 3),
];
const announcement = encodeFrame({ kind: "announcement" });

test.each<[string, readonly Happening[]]>([
  ["each frame once, in order", [...one, left(1), left(2)]],
  [
    "the first one later, since a fresh gateway wants new ones only",
    [...one.slice(0, -1), left(2)],
  ],
  ["some are missing that somebody dropped", [...one, lost(1), left(2)]],
  [
    "another gateway lets one out again",
    [...one, started("gw2"), attached("a1", 1, "gw2"), left(0, "a1", 1, "gw2")],
  ],
  ["a new primary goes on", [...one, left(1), ...failover.slice(one.length), left(2, "b1", 3)]],
  ["what nobody has any more is missing after a failover", [...failover, left(2, "b1", 3)]],
  ["a new primary announces itself", [...failover, out(announcement, "b1", 3)]],
  [
    "a gateway that reads an old record lets in its primary",
    [
      ...failover,
      started("gw2"),
      { kind: "misled", process: "gw2", epoch: 1 },
      attached("a1", 1, "gw2"),
    ],
  ],
])("no violation: %s", (_, history) => {
  expect(() => check(history)).not.toThrow();
});

const other = sentFrame(1, "otherwise");

test.each<[string, readonly Happening[], string]>([
  ["a frame comes out twice", [...one, left(0)], "gw1 let out frame 0 after frame 0"],
  [
    "a frame is left out",
    [...one, left(2)],
    "gw1 let out frame 2 after frame 0, and nobody dropped any",
  ],
  ["the frame of an older epoch comes out", [...failover, left(1)], "epoch 1, after epoch 3"],
  [
    "a frame comes out that no runner sent",
    [...one, out(sentFrame(1), null, -1)],
    "which no runner had just sent",
  ],
  [
    "a frame for the guest comes out",
    [...one, out(noise(1), "a1", 1)],
    'let out "noise 1", which the guest never sends',
  ],
  [
    "an older epoch is let in",
    [...failover, attached("a1", 1)],
    "gw1 let in a1 of epoch 1 after epoch 3",
  ],
  [
    "a fresh gateway lets in an epoch that was over",
    [...failover, started("gw2"), attached("a1", 1, "gw2")],
    "gw2 let in a1 of epoch 1 after epoch 3",
  ],
  [
    "somebody is let in whom the record did not name",
    [...one, attached("b1", 1)],
    "b1 was let in by gw1 at epoch 1, whose primary is a1",
  ],
  [
    "somebody attaches who knows better",
    [...failover, claimed("a1", 1, 3)],
    "a1 says to the gateway that it lives, and knows that it does not: at epoch 3",
  ],
  [
    "a number has two contents",
    [...one, left(1), started("gw2"), out(other, "a1", 1, "gw2")],
    "frame 1 came out as",
  ],
  [
    "the surviving guest sent another frame",
    [...one, out(other, "a1", 1)],
    'frame 1 came out as "sent 1 - otherwise", and the surviving history has "sent 1 - state"',
  ],
  [
    "the surviving guest never sent it",
    [...one, left(1), left(2), left(3)],
    "the surviving history does not have it",
  ],
  [
    "a gateway that never started lets something out",
    [...one, left(1, "a1", 1, "gw9")],
    "gw9 never started",
  ],
])("a violation: %s", (_, history, message) => {
  expect(() => check(history)).toThrow(message);
});
