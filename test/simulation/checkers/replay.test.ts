import { expect, test } from "@jest/globals";
import type { LogEntry } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Happening } from "../events.ts";
import {
  audit,
  bytes,
  ended,
  executed,
  granted,
  lived,
  printed,
  record,
  restored,
  typed,
} from "./hand-written-history.ts";
import { LogTree } from "./log-tree.ts";
import { type ReferenceMachine, ReplayChecker } from "./replay.ts";
import { Survivor } from "./survivor.ts";

/** Prints "t" at each step of entries with an input, and feels each step since it last moved. */
class SmallMachine implements ReferenceMachine {
  fingerprint = 0;
  #warmth = 0;
  #printed = 0;
  #inputs = 0;

  deliver(entry: LogEntry): void {
    this.#inputs = entry.inputs.filter(({ kind }) => kind === "console").length;
  }

  moveNow(): void {
    this.#warmth = 0;
  }

  run() {
    this.#warmth++;
    this.fingerprint = 100 * this.#printed + this.#warmth;
    if (this.#inputs === 0) return { outputs: [] };
    const position = this.#printed++;
    return { outputs: [{ kind: "console" as const, position, bytes: bytes("t") }] };
  }
}

function check(history: readonly Happening[], end?: Parameters<typeof audit>[2]): void {
  const tree = new LogTree();
  audit(new ReplayChecker(tree, new Survivor(tree), () => new SmallMachine()), history, end);
}

const input = { kind: "console" as const, writer: 1, position: 0, bytes: bytes("x") };
const snapshot = { kind: "snapshot" as const };

/** As the small machine makes them: it moves at entry 2. */
const life: readonly Happening[] = [
  granted(1, "a1"),
  lived("a1", 1, 0),
  executed("a1", { index: 0, fingerprint: 1 }),
  executed("a1", { index: 1, fingerprint: 2, inputs: [input], text: "t" }),
  executed("a1", { index: 2, fingerprint: 101, inputs: [snapshot] }),
  executed("a1", { index: 3, fingerprint: 102 }),
];

test("a backup that does the same passes, and so does the replay of the whole log", () => {
  const backup = [
    restored("b1", 2),
    executed("b1", { index: 2, fingerprint: 101, inputs: [snapshot] }),
    executed("b1", { index: 3, fingerprint: 102 }),
  ];
  expect(() => check([...life, ...backup], {})).not.toThrow();
});

test("a move that the log does not tell is seen by the machine that replays it", () => {
  const silent = [...life.slice(0, 4), executed("a1", { index: 2, fingerprint: 101 })];
  expect(() => check(silent, {})).toThrow("makes step 2 otherwise than a1 did");
});

test("entries of a superseded primary are another history, and need not be equal", () => {
  const branch = executed("b1", { index: 3, fingerprint: 999, branch: 1, parent: 30 });
  const history = [...life, restored("b1", 2), executed("b1", { index: 2, fingerprint: 101 })];
  expect(() => check([...history, branch], {})).not.toThrow();
});

test("the surviving history is what was let out, when the named primary died before it got there", () => {
  const history = [
    ...life,
    printed("a1", 1, 3, 0, "t"),
    restored("b1", 2),
    executed("b1", { index: 2, fingerprint: 101 }),
  ];
  expect(() => check(history, { ending: "lost", record: record(2, "b1") })).not.toThrow();
});

test("a trap that somebody typed, and a move that was made to fail, are no divergence", () => {
  const fault = { kind: "move fails" as const, node: "b", atMs: 0 };
  expect(() => check([typed(1, 0, "xT"), ended("a1", "trapped")])).not.toThrow();
  expect(() => check([{ kind: "fault", fault }, ended("b1", "trapped")])).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "another state after the same log",
    [...life, restored("b1", 2), executed("b1", { index: 2, fingerprint: 102 })],
    "step 2 of the same log: a1 and b1 differ: equal outputs, but the state is 101 and 102",
  ],
  [
    "another output",
    [
      ...life,
      restored("b1", 3),
      executed("b1", { index: 3, fingerprint: 102, text: "u", position: 1 }),
    ],
    "step 3 of the same log: a1 and b1 differ: 0 outputs and 1",
  ],
  [
    "an output at another position",
    [
      ...life.slice(0, 4),
      restored("b1", 1),
      executed("b1", { index: 1, fingerprint: 2, text: "t", position: 5 }),
    ],
    "output 0 at position 0 and 5",
  ],
  [
    "other bytes",
    [
      ...life.slice(0, 4),
      restored("b1", 1),
      executed("b1", { index: 1, fingerprint: 2, text: "u" }),
    ],
    'output 0 at position 0 is "t" and "u"',
  ],
  [
    "a step left out",
    [...life, restored("b1", 2), executed("b1", { index: 3 })],
    "b1 executed entry 3 instead of 2",
  ],
  [
    "a restored machine that runs another history's entry",
    [...life, restored("b1", 2), executed("b1", { index: 2, branch: 1, parent: 20 })],
    "b1 was restored at entry 2 and then ran another history's: chain 31 instead of 30",
  ],
  [
    "an entry on top of another history than one's own",
    [...life, executed("a1", { index: 4, parent: 31 })],
    "a1 executed entry 4 on top of chain 31, but it stood at chain 40",
  ],
  [
    "a snapshot of a history that nobody made",
    [...life, restored("b1", 9), executed("b1", { index: 9 })],
    "b1 executed entry 9 of a history whose entry 8 nobody executed",
  ],
  ["a divergence that the system finds itself", [ended("b1", "diverged")], "b1 diverged: bye"],
  ["a trap", [ended("b1", "trapped")], "b1 trapped and nobody typed a trap: bye"],
])("%s is a violation", (_, history, message) => {
  expect(() => check(history)).toThrow(message);
});

test("a fresh machine that does otherwise is a violation, though primary and backup agree", () => {
  const wrong = [...life, executed("a1", { index: 4, fingerprint: 7 })];
  expect(() => check(wrong, {})).toThrow(
    "a fresh machine that replays the log makes step 4 otherwise than a1 did: equal outputs, but the state is 7 and 103",
  );
});

test("a primary whose history lacks what was let out is a violation at the end", () => {
  const branch = executed("b1", { index: 3, fingerprint: 102, branch: 1, parent: 30 });
  const history = [
    ...life,
    printed("a1", 1, 3, 0, "t"),
    restored("b1", 2),
    executed("b1", { index: 2, fingerprint: 101 }),
    branch,
  ];
  expect(() => check(history, { record: record(2, "b1") })).toThrow(
    "an output of step 3 was let out, and is not in the history of the primary b1",
  );
});
