import { expect, test } from "@jest/globals";
import type { Answer, Happening } from "../events.ts";
import type { Fault } from "../scenario.ts";
import type { Outcome } from "./checker.ts";
import { audit, ended, granted, lived, record, typed } from "./hand-written-history.ts";
import { ProgressChecker } from "./progress.ts";

const strike = (fault: Fault): Happening => ({ kind: "fault", fault });
const terminate = (node: string) => strike({ kind: "terminate", node, restartMs: null, atMs: 0 });
const recordGone = strike({ kind: "record gone", atMs: 0 });
const powerOff = strike({ kind: "power off", atMs: 0 });

/** The process reads the record. */
const reads = (process: string, ...names: Parameters<typeof record>): readonly Happening[] => {
  const answer: Answer = { kind: "record", record: record(...names) };
  return [
    { kind: "asked", call: 1, process, request: { kind: "read" } },
    { kind: "answered", call: 1, answer },
  ];
};

const paired: readonly Happening[] = [granted(1, "a1"), lived("a1", 1, 0), granted(2, "a1", "b1")];
const takenOver: readonly Happening[] = [
  ...paired,
  ended("a1", null),
  granted(3, "b1"),
  lived("b1", 3, 9),
];
const calm: Happening = { kind: "calm" };

const pair: Partial<Outcome> = { record: record(2, "a1", "b1"), alive: ["a1", "b1"] };
const lost: Partial<Outcome> = { ending: "lost", record: record(2, "a1", "b1"), alive: [] };
const stuck: Partial<Outcome> = { ending: "stuck" };
const off: Partial<Outcome> = { ending: "switched off", record: record(3, null), alive: [] };

test.each<[string, readonly Happening[], Partial<Outcome>]>([
  ["a pair that goes on", [...paired, calm], pair],
  ["a survivor that goes on alone", takenOver, { record: record(3, "b1"), alive: ["b1"] }],
  ["both dead", [...paired, ended("b1", null), ended("a1", null)], lost],
  [
    "one killed and one told to leave",
    [...paired, terminate("b"), ended("b1", "stopped"), ended("a1", null)],
    lost,
  ],
  [
    "one dead while it was alone",
    [granted(1, "a1"), ended("a1", null)],
    { ...lost, record: record(1, "a1") },
  ],
  [
    "a trap that was typed and kills both halves",
    [...paired, typed(7, 0, "T"), ended("a1", "trapped"), ended("b1", "trapped")],
    lost,
  ],
  [
    "one that left before a late request named it",
    [
      granted(1, "a1"),
      ...reads("b1", 1, "a1"),
      ended("b1", "superseded"),
      granted(2, "a1", "b1"),
      ended("a1", null),
    ],
    lost,
  ],
  [
    "giving up since somebody deleted the record",
    [...paired, recordGone, ended("b1", "no record"), ended("a1", "no record")],
    lost,
  ],
  ["a wait for a record that was deleted", [...paired, recordGone, calm], { ...pair, ...stuck }],
  ["a pair that does without its deleted record", [...paired, recordGone, calm], pair],
  ["off by command", [...paired, powerOff, granted(3, null), ended("a1", "stopped")], off],
  ["off by a guest that was told to", [...paired, typed(7, 0, "P"), granted(3, null)], off],
  [
    "off by one that was left alone",
    [...paired, terminate("a"), granted(3, null), ended("a1", "left alone")],
    off,
  ],
  ["off as the last runner leaves", [...paired, terminate("a"), granted(3, null)], off],
  [
    "a superseded primary that knows the record",
    [...takenOver, ...reads("a1", 3, "b1"), ended("a1", "superseded")],
    { record: record(3, "b1"), alive: ["b1"] },
  ],
])("%s is no violation", (_, history, end) => {
  expect(() => audit(new ProgressChecker(), history, end)).not.toThrow();
});

test.each<[string, readonly Happening[], Partial<Outcome>, string]>([
  [
    "a pair that does not come back",
    [...paired, calm, granted(3, "a1")],
    { ending: "stuck", record: record(3, "a1") },
    "the pair has not come back 1 ms after the last fault\nthe world in words",
  ],
  [
    "a VM that nobody wanted off",
    [...paired, granted(3, null)],
    off,
    "the VM is switched off, and nobody wanted it off",
  ],
  [
    "a VM that is said to be off and has a primary",
    [...paired, powerOff],
    { ...off, record: record(2, "a1", "b1") },
    "switched off, and the record names a1 as primary",
  ],
  [
    "one death that loses a pair",
    [...paired, ended("a1", null)],
    lost,
    "the VM is lost, and b1, which is named, never ended",
  ],
  [
    "one death and one that left by itself",
    [...paired, ended("a1", null), ended("b1", "trapped")],
    lost,
    "the VM is lost, since b1 left by itself: trapped, bye",
  ],
  [
    "a VM that is said to be lost and lives",
    [...paired, ended("a1", null)],
    { ...lost, alive: ["b1"] },
    "the VM is lost, and b1, which is named, lives",
  ],
  [
    "a VM lost by those who left as superseded",
    [...reads("a1", 1, "c1"), granted(1, "a1"), ended("a1", "superseded")],
    { ...lost, record: record(1, "a1") },
    "all who are named left as superseded: a1",
  ],
  [
    "a VM that nobody has",
    [granted(1, null)],
    { ...lost, record: record(1, null) },
    "the VM is lost, and the record names nobody",
  ],
  [
    "a lone primary that never finds out that its record is deleted",
    [granted(1, "a1"), lived("a1", 1, 0), recordGone, calm],
    stuck,
    "the record is deleted, and a1, which was alone, lives on",
  ],
  [
    "a primary that is gone",
    [...paired],
    { ...pair, alive: ["b1"] },
    "the VM goes on, and its primary a1 is gone",
  ],
  [
    "a backup that is gone",
    [...paired],
    { ...pair, alive: ["a1"] },
    "the VM goes on as a pair, and its backup b1 is gone",
  ],
  [
    "a primary that never went live",
    [granted(1, "a1")],
    {},
    "the VM goes on, and a1 never went live",
  ],
  [
    "nobody who goes on",
    [granted(1, null)],
    { record: record(1, null) },
    "the VM goes on, and the record names no primary",
  ],
  [
    "another record than the last one granted",
    paired,
    {},
    "the run ended with the record of epoch 1, and epoch 2 was the last one granted",
  ],
])("%s is a violation at the end", (_, history, end, message) => {
  expect(() => audit(new ProgressChecker(), history, end)).toThrow(message);
});

test.each(["lost", "switched off"] as const)(
  "patient deaths never cost the VM: %s is a violation",
  (ending) => {
    const left = [...paired, terminate("b"), ended("b1", "stopped"), ended("a1", null)];
    const off = [...left, granted(3, null)];
    const history = ending === "lost" ? left : off;
    const end = {
      ending,
      record: ending === "lost" ? record(2, "a1", "b1") : record(3, null),
      alive: [],
    };
    expect(() => audit(new ProgressChecker(false), history, end)).not.toThrow();
    expect(() => audit(new ProgressChecker(true), history, end)).toThrow("the VM is");
  },
);

test.each<[string, readonly Happening[], string]>([
  ["finds no record", [ended("a1", "no record")], 'a1 gave up with "no record": bye'],
  [
    "finds no record before somebody deleted it",
    [...paired, ended("a1", "no record"), recordGone],
    'a1 gave up with "no record": bye',
  ],
  ["refuses, with a record or without", [recordGone, ended("b1", "refused")], '"refused": bye'],
  ["refuses", [ended("b1", "refused")], 'b1 gave up with "refused": bye'],
  ["stops untold", [...paired, ended("a1", "stopped")], "a1 stopped, and nobody told it to: bye"],
  [
    "says that it was left alone and was never told to leave",
    [...paired, terminate("b"), ended("a1", "left alone")],
    "a1 left alone, and nobody told it to: bye",
  ],
  [
    "leaves as superseded by hearsay",
    [...takenOver, ended("a1", "superseded")],
    "a1 left as superseded, but was never told the record",
  ],
  [
    "leaves as superseded while named",
    [...paired, ...reads("b1", 2, "a1", "b1"), ended("b1", "superseded")],
    "b1 left as superseded, but knew epoch 2, which names it",
  ],
])("a runner that %s is a violation at once", (_, history, message) => {
  expect(() => audit(new ProgressChecker(), history)).toThrow(message);
});

test("what a terminated runner's computer runs next was not told to leave", () => {
  const history = [
    ...paired,
    terminate("b"),
    ended("b1", "stopped"),
    { kind: "started" as const, process: "b2", node: "b" },
    granted(3, "a1", "b2"),
    ended("b2", "stopped"),
    ended("a1", null),
  ];
  const end = { ...lost, record: record(3, "a1", "b2") };
  expect(() => audit(new ProgressChecker(), history, end)).toThrow(
    "the VM is lost, since b2 left by itself: stopped, bye",
  );
});
