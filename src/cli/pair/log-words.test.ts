import { expect, test } from "@jest/globals";
import { wordsOf } from "./log-words.ts";

test.each([
  [
    "why a runner ends is told, though it is no warning",
    { level: 30, msg: "runner ends", reason: "trapped", message: "step 7: invalid opcode" },
    "step 7: invalid opcode",
  ],
  [
    "a warning is told with its problem",
    { level: 40, msg: "connection dropped", problem: "wrong key" },
    "connection dropped: wrong key",
  ],
  [
    "an error is told with its cause",
    { level: 50, msg: "runner failed", error: "x" },
    "runner failed: x",
  ],
  ["what goes well is no news", { level: 30, msg: "runner started" }, null],
])("%s", (_, entry, words) => {
  expect(wordsOf(JSON.stringify(entry))).toBe(words);
});

test.each([
  ["lockstep runner: no guest at /x", "lockstep runner: no guest at /x"],
  ["  ", null],
])("a line that is no log entry is taken as it is: %j", (line, words) => {
  expect(wordsOf(line)).toBe(words);
});
