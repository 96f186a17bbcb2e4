import { expect, test } from "@jest/globals";
import { HeartbeatJudge, HeartbeatWriter } from "./heartbeat.ts";

const vm = "vm-1";

test("each new heartbeat of the other half is a sign of life, and none twice", () => {
  const writer = new HeartbeatWriter({ vm, nonce: "b" });
  const judge = new HeartbeatJudge({ vm, nonce: "a" });
  const [first, second, third] = [writer.next(1), writer.next(1), writer.next(2)];
  expect([first, third, third, second, first].map((line) => judge.accept(line))).toEqual([
    "b",
    "b",
    null,
    null,
    null,
  ]);
});

test.each([
  ["our own", "lockstep vm-1 a 3 7"],
  ["another VM's", "lockstep vm-2 b 3 7"],
  ["one without a counter", "lockstep vm-1 b 3"],
  ["one whose counter is no number", "lockstep vm-1 b 3 x"],
  ["one whose counter is not exact", "lockstep vm-1 b 3 90071992547409930"],
  ["an empty one", ""],
])("no sign of life is %s", (_, line) => {
  expect(new HeartbeatJudge({ vm, nonce: "a" }).accept(line)).toBeNull();
});

test("a runner that starts anew counts anew, under another name", () => {
  const judge = new HeartbeatJudge({ vm, nonce: "a" });
  expect(judge.accept("lockstep vm-1 b 3 700")).toBe("b");
  expect(judge.accept("lockstep vm-1 c 3 1")).toBe("c");
  expect(judge.accept("lockstep vm-1 b 3 701")).toBe("b");
});

test("of very many runners the one longest unheard of is forgotten, never the one that speaks", () => {
  const judge = new HeartbeatJudge({ vm, nonce: "a" });
  for (let i = 1; i <= 100; i++) {
    expect(judge.accept(`lockstep vm-1 peer 1 ${i}`)).toBe("peer");
    expect(judge.accept(`lockstep vm-1 other-${i} 1 5`)).toBe(`other-${i}`);
  }
  expect(judge.accept("lockstep vm-1 peer 1 100")).toBeNull();
  expect(judge.accept("lockstep vm-1 other-1 1 5")).toBe("other-1");
  expect(judge.accept("lockstep vm-1 other-100 1 5")).toBeNull();
});
