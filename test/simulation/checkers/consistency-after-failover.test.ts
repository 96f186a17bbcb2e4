import { expect, test } from "@jest/globals";
import type { Happening } from "../events.ts";
import { ConsistencyChecker } from "./consistency-after-failover.ts";
import {
  audit,
  bytes,
  executed,
  granted,
  lived,
  printed,
  restored,
  typed,
} from "./hand-written-history.ts";
import { LogTree } from "./log-tree.ts";
import { Survivor } from "./survivor.ts";

function check(history: readonly Happening[]): void {
  const tree = new LogTree();
  audit(new ConsistencyChecker(tree, new Survivor(tree)), history, {});
}

const input = (position: number, text: string) => ({
  kind: "console" as const,
  writer: 7,
  position,
  bytes: bytes(text),
});
const accepted = (position: number): Happening => ({ kind: "accepted", writer: 7, position });
const seen = (position: number, text: string, writer = 7): Happening => ({
  kind: "seen",
  writer,
  position,
  bytes: bytes(text),
});

const first = "7@0:ab:11:1\n";
const second = "7@2:c:12:2\n";

const start: readonly Happening[] = [
  granted(1, "a1"),
  lived("a1", 1, 0),
  typed(7, 0, "ab"),
  executed("a1", { index: 0, inputs: [input(0, "ab")], text: first }),
  typed(7, 2, "c"),
  executed("a1", { index: 1, inputs: [input(0, "abc")], text: second, position: first.length }),
];

const good: readonly Happening[] = [
  ...start,
  printed("a1", 1, 0, 0, first),
  seen(0, "7@0:"),
  seen(3, ":ab:1", 8),
  printed("a1", 1, 1, first.length, second.slice(0, 3)),
  printed("a1", 1, 1, first.length + 3, second.slice(3)),
  accepted(3),
  seen(4, "ab:11:1\n7@2"),
];

test("a stream that each client can follow passes, in whatever pieces it comes", () => {
  expect(() => check(good)).not.toThrow();
});

test("a new primary may print again what was printed, and bytes sent twice count once", () => {
  expect(() => check([...good, printed("a1", 1, 1, 4, "ab:11:1\n7@2:c:")])).not.toThrow();
});

test("a client that was away while more was printed than anybody keeps may miss some", () => {
  const text = "x".repeat(70_000);
  const history = [
    executed("a1", { index: 0, text }),
    printed("a1", 1, 0, 0, text),
    seen(0, "xx"),
    seen(4_464, "xx"),
  ];
  expect(() => check(history)).not.toThrow();
  expect(() => check([...history, seen(4_500, "xx")])).toThrow("then was given position 4500");
});

test("what the surviving log prints and nobody let out yet is no violation", () => {
  expect(() => check(start)).not.toThrow();
});

test.each<[string, readonly Happening[], string]>([
  [
    "another byte at a position",
    [...good, printed("a1", 1, 1, 4, "aX")],
    'at position 5 a1 has "X", and "b:11:1\\n7@2:c:12:2\\n" was let out before',
  ],
  [
    "a gap",
    [...good, printed("a1", 1, 1, 30, "x")],
    "a1 prints at position 30; nobody has printed from 23 on",
  ],
  [
    "a client that misses something",
    [...good, seen(16, "c")],
    "writer 7 has seen the console up to position 15, and then was given position 16",
  ],
  [
    "a client that gets the same twice",
    [...good, seen(14, "2")],
    "writer 7 has seen the console up to position 15, and then was given position 14",
  ],
  [
    "bytes that a client sees and that never left a runner",
    [...good, seen(15, ":c:12:2\nmore")],
    "writer 7 was given the console up to position 27, and only 23 were let out",
  ],
  ["other bytes than those let out", [...good, seen(15, ":d")], 'at position 16 writer 7 has "d"'],
  [
    "typed bytes that are lost",
    [typed(7, 0, "abc"), printed("a1", 1, 0, 0, "7@2:c:1:1\n")],
    'the guest echoes "c" of writer 7 at position 2 after 0: some bytes were lost',
  ],
  [
    "typed bytes that are echoed twice",
    [...good, printed("a1", 1, 1, 23, "7@2:c:13:3\n")],
    'the guest echoes "c" of writer 7 at position 2 after 3: some bytes were echoed twice',
  ],
  [
    "an echo of what nobody typed",
    [typed(7, 0, "ab"), printed("a1", 1, 0, 0, "7@0:ax:1:1\n")],
    'the guest echoes "ax" of writer 7 at position 0, where "ab" was typed',
  ],
  [
    "an acceptance of more than was typed",
    [...good, accepted(4)],
    "accepted 4 bytes of writer 7, which has typed 3",
  ],
  [
    "an acceptance of more than was typed that leaves a runner",
    [
      {
        kind: "released",
        process: "a1",
        epoch: 1,
        index: 0,
        output: { kind: "accepted", writer: 9, position: 1 },
      },
    ],
    "a1 accepted 1 bytes of writer 9, which has typed 0",
  ],
  [
    "accepted input that is not in the surviving log",
    [...good, typed(7, 3, "d"), accepted(4)],
    "writer 7 was told that its first 4 bytes are in the log, and the surviving log has 3 of them",
  ],
  [
    "a log in which input is missing",
    [...good, typed(7, 3, "de"), executed("a1", { index: 2, inputs: [input(4, "e")] })],
    "entry 2 has bytes of writer 7 at position 4; of those before only 3 are in the log",
  ],
  [
    "an output that the surviving log does not make",
    [...good, printed("a1", 1, 1, 23, "more")],
    "the surviving log prints 23 bytes, and 27 were let out",
  ],
])("%s is a violation", (_, history, message) => {
  expect(() => check(history)).toThrow(message);
});

test("a surviving log that prints something else than what was let out is a violation", () => {
  const history = [
    executed("a1", { index: 0, text: "one" }),
    restored("b1", 0),
    executed("b1", { index: 0 }),
    printed("b1", 1, 0, 0, "two"),
  ];
  expect(() => check(history)).toThrow('at position 0 the surviving log has "one", and "two');
});
