import { expect, test } from "@jest/globals";
import { nextRequest, reportOf } from "../../bench/operator-scale/pair-play.ts";
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import { transition } from "../../src/storage-arbiter/record/transition.ts";

const vm = "uid";
const fresh: VmRecord = { vm, epoch: 0, primary: null, backup: null, takeovers: 0 };

test.each<[string, Partial<VmRecord>, string[], object | null]>([
  ["nobody runs: nothing", {}, [], null],
  ["the first runner begins", {}, ["a", "b"], { kind: "start", runner: "a", epoch: 0 }],
  ["one that was switched off stays off", { epoch: 5 }, ["a"], null],
  ["alone, it waits for another one", { epoch: 1, primary: "a" }, ["a"], null],
  [
    "the primary names the other one",
    { epoch: 1, primary: "a" },
    ["a", "b"],
    { kind: "pair", runner: "a", backup: "b", epoch: 1 },
  ],
  ["a whole pair asks for nothing", { epoch: 2, primary: "a", backup: "b" }, ["a", "b", "c"], null],
  [
    "the backup takes over from a lost primary",
    { epoch: 2, primary: "a", backup: "b" },
    ["b", "c"],
    { kind: "takeover", runner: "b", epoch: 2 },
  ],
  [
    "the primary goes on without its lost backup",
    { epoch: 2, primary: "a", backup: "b" },
    ["a", "c"],
    { kind: "alone", runner: "a", epoch: 2 },
  ],
  ["nobody replaces both", { epoch: 2, primary: "a", backup: "b" }, ["c"], null],
])("%s", (_, changed, living, expected) => {
  const record = { ...fresh, ...changed };
  const request = nextRequest(record, living);
  expect(request).toEqual(expected === null ? null : { vm, ...expected });
  if (request !== null) expect(transition(record, request).kind).toBe("granted");
});

test("each says of itself what the record says of it", () => {
  const record = { ...fresh, epoch: 2, primary: "a", backup: "b" };
  const goLive = { reason: "started", afterMs: 25, agoMs: 1_000 };
  const told = (nonce: string) => {
    const { role, live, lastGoLive } = reportOf(record, nonce, { goLive, lagMs: 10 });
    return [role, live, lastGoLive];
  };
  expect(told("a")).toEqual(["primary", true, goLive]);
  expect(told("b")).toEqual(["backup", false, null]);
  expect(told("c")).toEqual(["candidate", false, null]);
});
