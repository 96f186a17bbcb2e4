import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { audit, ended, granted, lived, printed, recorded } from "./hand-written-history.ts";
import { SingleLifeChecker } from "./single-life.ts";

const first: readonly Happening[] = [
  granted(0, null),
  granted(1, "a1"),
  lived("a1", 1, 0),
  recorded("a1", 0, 2),
  printed("a1", 1, 1, 0, "one"),
];

const second: readonly Happening[] = [
  ...first,
  granted(2, "a1", "b1"),
  granted(3, "b1"),
  lived("b1", 3, 2),
  printed("b1", 3, 1, 0, "one"),
];

test("one life after the other passes, and what a superseded primary still says is dropped", () => {
  const checker = new SingleLifeChecker();
  const late = [recorded("a1", 2), printed("a1", 2, 2, 3, "two")];
  expect(() => audit(checker, [...second, ...late], {})).not.toThrow();
  expect(checker.dropped).toBe(1);
});

test("who is named shows what it executed as backup even before it goes live", () => {
  const early = [...second.slice(0, -2), printed("b1", 3, 1, 0, "one"), lived("b1", 3, 2)];
  expect(() => audit(new SingleLifeChecker(), early, {})).not.toThrow();
});

const restarted: readonly Happening[] = [
  ...second,
  ended("a1", "superseded"),
  ended("b1", null),
  granted(4, "c1"),
  lived("c1", 4, 0),
];

test("a VM that nobody lives in begins anew, with its console at the first byte", () => {
  const checker = new SingleLifeChecker();
  const anew = [printed("c1", 4, 0, 0, "new"), printed("c1", 4, 1, 3, "er")];
  expect(() => audit(checker, [...restarted, ...anew], {})).not.toThrow();
  expect(checker.dropped).toBe(0);
});

test("what was held of an earlier life is dropped, even before the new one has shown anything", () => {
  const checker = new SingleLifeChecker();
  const late = [printed("b1", 3, 2, 3, "late"), printed("c1", 4, 0, 0, "new")];
  expect(() => audit(checker, [...restarted, ...late], {})).not.toThrow();
  expect(checker.dropped).toBe(1);
});

test("a primary whose hand-over failed goes on at its epoch", () => {
  expect(() => audit(new SingleLifeChecker(), [...first, lived("a1", 1, 2)], {})).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "an epoch that was granted to two",
    [...first, granted(1, "b1")],
    "epoch 1 was granted to a1 and to b1",
  ],
  [
    "a life at another's epoch",
    [...first, lived("b1", 1, 0)],
    "b1 lives at epoch 1, whose primary is a1",
  ],
  [
    "a life at an epoch that nobody granted",
    [...first, lived("b1", 2, 2)],
    "b1 lives at epoch 2, which was never granted",
  ],
  [
    "an output at an epoch that names its maker as backup",
    [...second.slice(0, -3), granted(3, "b1", "a1"), printed("a1", 3, 1, 3, "two")],
    "a1 let something out at epoch 3, whose primary is b1",
  ],
  [
    "a life begun anew while one who is named lives",
    [...first, granted(2, "a1", "b1"), ended("a1", null), granted(3, "c1")],
    "c1 begins the VM's life anew at epoch 3, and b1, named at epoch 2, lives",
  ],
  [
    "a console of a new life that does not begin at its first byte",
    [...restarted, printed("c1", 4, 0, 3, "new")],
    "behind the fences the console is known up to position 0, and c1 goes on at 3, epoch 4",
  ],
  [
    "a backup that records",
    [...first, recorded("b1", 2)],
    "b1 recorded entry 2 and never went live",
  ],
  [
    "an output that the fences dropped and the new life does not repeat",
    [...second, printed("a1", 2, 2, 3, "two"), printed("b1", 3, 3, 6, "three")],
    "behind the fences the console is known up to position 3, and b1 goes on at 6, epoch 3",
  ],
])("%s is a violation", (_, history, message) => {
  expect(() => audit(new SingleLifeChecker(), history, {})).toThrow(message);
});
