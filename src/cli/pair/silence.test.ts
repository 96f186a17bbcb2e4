import { expect, test } from "@jest/globals";
import type { HalfView, PairView } from "./events.ts";
import { noteSilences, silenceMaxMs, silentTooLong } from "./silence.ts";

const record = { vm: "vm", epoch: 3, primary: "new", backup: null, takeovers: 1 };
const silent: HalfView = { id: "a", pid: 1, nonce: "old", status: null };
const other: HalfView = { id: "b", pid: 2, nonce: "new", status: null };

function killed(view: PairView): string[] {
  return silentTooLong(noteSilences(noteSilences({}, view, 0), view, 1_000), silenceMaxMs + 1);
}

const view: PairView = {
  ...{ name: "x", vm: "vm", record, halves: [silent, other] },
  ...{ network: null, guest: null },
};

test("a silent runner that the record does not name is killed after a while", () => {
  expect(killed(view)).toEqual(["a"]);
  expect(silentTooLong(noteSilences({}, view, 0), silenceMaxMs)).toEqual([]);
});

test.each<[string, PairView]>([
  ["that the record names", { ...view, record: { ...record, backup: "old" } }],
  ["that does not serve yet", { ...view, halves: [{ ...silent, nonce: null }, other] }],
  ["while the record is not known", { ...view, record: null }],
])("a silent runner %s is left alone", (_, spared) => {
  expect(killed(spared)).toEqual([]);
});

test("a runner that was heard again begins anew", () => {
  const heard = noteSilences({ a: 0 }, { ...view, record: null }, 2_000);
  expect(noteSilences(heard, view, 2_500)).toEqual({ a: 2_500 });
});
