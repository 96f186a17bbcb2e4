import { expect, test } from "@jest/globals";
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { PairView } from "./events.ts";
import { changes } from "./view-changes.ts";

function view(record: Partial<VmRecord> | null): PairView {
  const half = (id: "a" | "b") => ({ id, pid: 1, nonce: `nonce-${id}`, status: null });
  const whole = { vm: "vm", epoch: 0, primary: null, backup: null, takeovers: 0, ...record };
  return {
    name: "default",
    vm: "vm",
    record: record === null ? null : whole,
    halves: [half("a"), half("b")],
    network: null,
    guest: null,
  };
}

const alone = { epoch: 1, primary: "nonce-a" };
const paired = { epoch: 2, primary: "nonce-a", backup: "nonce-b" };
const takenOver = { epoch: 3, primary: "nonce-b", takeovers: 1 };

test.each([
  ["the first primary", { epoch: 0 }, alone, [{ kind: "primary", half: "a", epoch: 1 }]],
  ["a new backup", alone, paired, [{ kind: "redundant", backup: "b", epoch: 2 }]],
  [
    "a take-over",
    paired,
    takenOver,
    [
      { kind: "took over", half: "b", epoch: 3, planned: false },
      { kind: "alone", primary: "b", epoch: 3 },
    ],
  ],
  [
    "a take-over and the new backup, when nobody looked in between",
    paired,
    { epoch: 4, primary: "nonce-b", backup: "nonce-a", takeovers: 1 },
    [
      { kind: "took over", half: "b", epoch: 4, planned: false },
      { kind: "redundant", backup: "a", epoch: 4 },
    ],
  ],
  [
    "a hand-over",
    paired,
    { epoch: 3, primary: "nonce-b", backup: "nonce-a" },
    [
      { kind: "took over", half: "b", epoch: 3, planned: true },
      { kind: "redundant", backup: "a", epoch: 3 },
    ],
  ],
  [
    "a lost backup",
    paired,
    { epoch: 3, primary: "nonce-a" },
    [{ kind: "alone", primary: "a", epoch: 3 }],
  ],
  ["nothing new", paired, paired, []],
])("%s is told", (_, before, after, events) => {
  expect(changes(view(before), view(after))).toEqual(events);
});

test("a record that is not known yet is no news", () => {
  expect(changes(view(null), view(null))).toEqual([]);
});

test("a guest that becomes ready is told, and not again while it is", () => {
  const guest = { waitsFor: "TCP port 80", ready: false };
  const waiting: PairView = { ...view(alone), guest };
  const ready: PairView = { ...view(alone), guest: { ...guest, ready: true } };
  const told = [{ kind: "guest ready", waitsFor: "TCP port 80" }];
  expect(changes(view(alone), ready)).toEqual(told);
  expect(changes(waiting, ready)).toEqual(told);
  expect(changes(ready, ready)).toEqual([]);
  expect(changes(ready, waiting)).toEqual([]);
});
