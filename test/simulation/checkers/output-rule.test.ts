import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import {
  audit,
  executed,
  granted,
  lived,
  printed,
  received,
  recorded,
  restored,
} from "./hand-written-history.ts";
import { LogTree } from "./log-tree.ts";
import { OutputRuleChecker } from "./output-rule.ts";
import { Survivor } from "./survivor.ts";

function check(history: readonly Happening[]): void {
  const tree = new LogTree();
  audit(new OutputRuleChecker(tree, new Survivor(tree)), history, {});
}

const alone: readonly Happening[] = [
  granted(1, "a1"),
  lived("a1", 1, 0),
  recorded("a1", 0, 2),
  executed("a1", { index: 0 }),
  executed("a1", { index: 1, text: "one" }),
  printed("a1", 1, 1, 0, "one"),
];

/** b1 joined with the snapshot of entry 2, and is named. */
const paired: readonly Happening[] = [
  ...alone,
  recorded("a1", 2),
  executed("a1", { index: 2 }),
  received("b1", 2),
  restored("b1", 2),
  executed("b1", { index: 2 }),
  granted(2, "a1", "b1"),
];

const three: readonly Happening[] = [
  recorded("a1", 3),
  executed("a1", { index: 3, text: "three", position: 3 }),
];

test("a primary that is alone lets its outputs out at once", () => {
  expect(() => check(alone)).not.toThrow();
});

/** a1 hands over to b1, hears nothing, and takes the VM back before b1 knows of its role. */
const takenBack: readonly Happening[] = [
  ...paired,
  granted(3, "b1", "a1"),
  granted(4, "a1"),
  lived("a1", 4, 3),
  ...three,
  printed("a1", 4, 3, 3, "three"),
];

test("who learns too late that it was primary may begin, and let nothing out", () => {
  const late = [...takenBack, lived("b1", 3, 3)];
  expect(() => check(late)).not.toThrow();
  const speaks = [
    recorded("b1", 3),
    executed("b1", { index: 3, text: "other", position: 3, branch: 1, parent: 30 }),
    printed("b1", 3, 3, 3, "other"),
  ];
  expect(() => check([...late, ...speaks])).toThrow("b1 let out an output of step 3");
});

test("an output leaves when the backup has received its entry, executed or not", () => {
  const history = [...paired, ...three, received("b1", 3), printed("a1", 2, 3, 3, "three")];
  expect(() => check(history)).not.toThrow();
});

test("a backup that takes over after all it received may print again what was seen", () => {
  const history = [
    ...paired,
    ...three,
    received("b1", 3),
    printed("a1", 2, 3, 3, "three"),
    granted(3, "b1"),
    executed("b1", { index: 3, text: "three", position: 3 }),
    lived("b1", 3, 4),
    printed("b1", 3, 1, 0, "one"),
    printed("b1", 3, 3, 3, "three"),
    printed("a1", 2, 3, 3, "three"),
  ];
  expect(() => check(history)).not.toThrow();
});

test("who is named primary may let out what it executed before it goes live", () => {
  const history = [...paired, granted(3, "b1"), printed("b1", 3, 1, 0, "one"), lived("b1", 3, 3)];
  expect(() => check(history)).not.toThrow();
});

test("a log that came before the machine stood counts from its snapshot on", () => {
  const history = [
    ...alone,
    recorded("a1", 2, 2),
    executed("a1", { index: 2 }),
    executed("a1", { index: 3, text: "three", position: 3 }),
    received("b1", 2, 2),
    restored("b1", 2),
    granted(2, "a1", "b1"),
    printed("a1", 2, 3, 3, "three"),
  ];
  expect(() => check(history)).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "leaves before the backup has its entry",
    [...paired, ...three, printed("a1", 2, 3, 3, "three")],
    "a1 let out an output of step 3, and b1, named at epoch 2, has the log only up to entry 2",
  ],
  [
    "leaves when a later entry has come but one is missing",
    [...paired, ...three, received("b1", 4), printed("a1", 2, 3, 3, "three")],
    "has the log only up to entry 2",
  ],
  [
    "leaves when the named backup has no machine yet",
    [...alone, received("b1", 1), granted(2, "a1", "b1"), printed("a1", 2, 1, 0, "one")],
    "b1, named at epoch 2, has the log only up to entry -1",
  ],
  [
    "is an acceptance that leaves too early",
    [
      ...paired,
      ...three,
      {
        kind: "released",
        process: "a1",
        epoch: 2,
        index: 3,
        output: { kind: "accepted", writer: 1, position: 2 },
      },
    ],
    "a1 let out an acceptance of input of step 3, and b1",
  ],
  [
    "is of a step that the process never ran",
    [...alone, printed("a1", 1, 2, 3, "two")],
    "a1 let out an output of step 2, which is not in its history",
  ],
  [
    "is unknown to the next life",
    [
      ...paired,
      ...three,
      received("b1", 3),
      printed("a1", 2, 3, 3, "three"),
      granted(3, "b1"),
      lived("b1", 3, 3),
    ],
    "b1 lives at epoch 3 from entry 3 on, and an output of step 3 by a1 was let out that its history does not have",
  ],
  [
    "comes from a superseded primary and its own branch",
    [
      ...paired,
      granted(3, "b1"),
      lived("b1", 3, 3),
      recorded("b1", 3),
      executed("b1", { index: 3, branch: 1, parent: 30 }),
      ...three,
      printed("a1", 2, 3, 3, "three"),
    ],
    "a1 let out an output of step 3, which the later life of b1 at epoch 3 does not have",
  ],
  [
    "belongs to another history than one before",
    [
      ...paired,
      ...three,
      received("b1", 3),
      executed("b1", { index: 3, branch: 1, parent: 30 }),
      printed("a1", 2, 3, 3, "three"),
      granted(3, "b1"),
      printed("b1", 3, 3, 3, "other"),
    ],
    "b1 let out an output of step 3, and step 3 of another history was let out before",
  ],
  [
    "precedes a life on a history that nobody executed",
    [...alone, granted(2, "b1"), lived("b1", 2, 5)],
    "b1 lives from entry 5 on, after a history (chain 50) that was not executed up to there",
  ],
])("an output that %s is a violation", (_, history, message) => {
  expect(() => check(history)).toThrow(message);
});
