import { expect, test } from "@jest/globals";
import { me, record } from "../../../test/pair-states.ts";
import {
  emptyView,
  noteAsked,
  noteRecord,
  possibleBackups,
  type RecordView,
  type RunnerRequest,
} from "./record-view.ts";

const pair = (backup: string, epoch = 3): RunnerRequest => {
  return { kind: "pair", vm: "vm-1", runner: me, backup, epoch };
};
const handover: RunnerRequest = { kind: "handover", vm: "vm-1", runner: me, epoch: 3 };

function view(backup: string | null, ...asked: RunnerRequest[]): RecordView {
  return asked.reduce(noteAsked, noteRecord(emptyView, record(3, me, backup)));
}

test.each<[string, RecordView, string[] | null]>([
  ["nobody, for one that is alone", view(null), []],
  ["the backup in the record", view("b"), ["b"]],
  ["one whose naming was asked for", view(null, pair("b")), ["b"]],
  [
    "everybody whom an unsettled pair could have named",
    view("b", pair("c"), pair("d")),
    ["b", "c", "d"],
  ],
  ["unknown, when it may have handed over", view("b", handover), null],
  ["unknown, before the record was read", emptyView, null],
  ["unknown, when another is named primary", noteRecord(emptyView, record(3, "b", me)), null],
])("beside the primary there could be %s", (_, known, expected) => {
  const backups = possibleBackups(known, me);
  expect(backups === null ? null : [...backups].sort()).toEqual(expected);
});

test("reading that the old epoch still stands settles nothing", () => {
  const asked = view(null, pair("b"));
  expect(noteRecord(asked, record(3, me))).toEqual(asked);
});

test("any record of a later epoch settles what was asked at the earlier one", () => {
  expect(noteRecord(view(null, pair("b")), record(4, me)).unsettled).toEqual([]);
});

test("a record of an earlier epoch is an old answer and changes nothing", () => {
  const known = view("b");
  expect(noteRecord(known, record(2, "c"))).toBe(known);
});

test("the same request asked again is one request", () => {
  expect(view(null, pair("b"), pair("b"), pair("c")).unsettled).toHaveLength(2);
});

test("nothing is asked for at an epoch that is not the known one", () => {
  expect(() => noteAsked(view(null), pair("b", 2))).toThrow(
    "asked for pair at epoch 2, known is 3",
  );
  expect(() => noteAsked(emptyView, pair("b"))).toThrow("known is undefined");
});
