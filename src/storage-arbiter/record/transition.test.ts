import { describe, expect, test } from "@jest/globals";
import type {
  RecordOutcome,
  RecordRequest,
  RefusalReason,
  VmRecord,
} from "../../shared/protocol/record.ts";
import { transition } from "./transition.ts";

const vm = "vm-1";
const fresh: VmRecord = { vm, epoch: 0, primary: null, backup: null, takeovers: 0 };
const alone: VmRecord = { vm, epoch: 5, primary: "a", backup: null, takeovers: 2 };
const paired: VmRecord = { ...alone, backup: "b" };
const stopped: VmRecord = { ...alone, primary: null };

/** A refusal's reason, or the fields of the granted record that differ from the one before. */
type Expected = RefusalReason | Partial<VmRecord>;

/** Every kind of request, by every runner that could be meant, at the record's own epoch. */
const table: [Record<string, unknown>, Expected, Expected, Expected, Expected][] = [
  // request, at epoch 0, alone (a), paired (a and b), stopped
  [{ kind: "create" }, {}, "record exists", "record exists", "record exists"],
  [
    { kind: "start", runner: "a" },
    { primary: "a" },
    "already started",
    "already started",
    "already started",
  ],
  [
    { kind: "start", runner: "c" },
    { primary: "c" },
    "already started",
    "already started",
    "already started",
  ],
  [
    { kind: "pair", runner: "a", backup: "c" },
    "not the primary",
    { backup: "c" },
    { backup: "c" },
    "not the primary",
  ],
  [
    { kind: "pair", runner: "a", backup: "a" },
    "not the primary",
    "own backup",
    "own backup",
    "not the primary",
  ],
  [
    { kind: "pair", runner: "b", backup: "c" },
    "not the primary",
    "not the primary",
    "not the primary",
    "not the primary",
  ],
  [
    { kind: "takeover", runner: "b" },
    "not the backup",
    "not the backup",
    { primary: "b", backup: null, takeovers: 3 },
    "not the backup",
  ],
  [
    { kind: "takeover", runner: "a" },
    "not the backup",
    "not the backup",
    "not the backup",
    "not the backup",
  ],
  [
    { kind: "alone", runner: "a" },
    "not the primary",
    { primary: "a" },
    { backup: null },
    "not the primary",
  ],
  [
    { kind: "alone", runner: "b" },
    "not the primary",
    "not the primary",
    "not the primary",
    "not the primary",
  ],
  [
    { kind: "handover", runner: "a" },
    "not the primary",
    "no backup",
    { primary: "b", backup: "a" },
    "not the primary",
  ],
  [
    { kind: "handover", runner: "b" },
    "not the primary",
    "not the primary",
    "not the primary",
    "not the primary",
  ],
  [
    { kind: "stop", runner: "a" },
    "not the primary",
    { primary: null },
    { primary: null, backup: null },
    "not the primary",
  ],
  [
    { kind: "stop", runner: "b" },
    "not the primary",
    "not the primary",
    "not the primary",
    "not the primary",
  ],
  [
    { kind: "restart", runner: "c", bothProvenGone: true },
    { primary: "c" },
    { primary: "c" },
    { primary: "c", backup: null },
    { primary: "c" },
  ],
  [
    { kind: "restart", runner: "b", bothProvenGone: true },
    { primary: "b" },
    { primary: "b" },
    "already named",
    { primary: "b" },
  ],
  [
    { kind: "restart", runner: "a", bothProvenGone: true },
    { primary: "a" },
    "already named",
    "already named",
    { primary: "a" },
  ],
];

const cases = table.flatMap(([fields, ...expected]) =>
  [fresh, alone, paired, stopped].map((record, i) => ({
    title: `${Object.values(fields).join(" ")} at ${["epoch 0", "alone", "paired", "stopped"][i]}`,
    request: makeRequest(fields, record.epoch),
    record,
    expected: expected[i] as Expected,
  })),
);

describe("at the epoch that it expects, each request does what the table says and no more", () => {
  test.each(cases)("$title", ({ request, record, expected }) => {
    const outcome = transition(record, request);
    if (typeof expected === "string") {
      expect(outcome).toEqual({ kind: "refused", reason: expected, record });
    } else {
      const epoch = request.kind === "create" ? record.epoch : record.epoch + 1;
      expect(outcome).toEqual({ kind: "granted", record: { ...record, epoch, ...expected } });
    }
  });
});

describe("a granted request whose answer was lost is granted again and changes nothing", () => {
  test.each(cases.filter((c) => typeof c.expected !== "string"))("$title", (c) => {
    const first = grantedBy(transition(c.record, c.request));
    expect(transition(first, c.request)).toEqual({ kind: "granted", record: first });
  });
});

describe("a request is refused once another transition was granted at its epoch", () => {
  test.each(cases.filter(({ request: { kind } }) => kind !== "create"))("$title", (c) => {
    const later = { ...c.record, epoch: c.record.epoch + 1, primary: "x", backup: "y" };
    const reason = c.request.kind === "start" ? "already started" : "stale epoch";
    expect(transition(later, c.request)).toEqual({ kind: "refused", reason, record: later });
  });
});

test.each(cases.filter(({ request: { kind } }) => kind !== "create" && kind !== "start"))(
  "a record that went back grants nothing: $title",
  ({ record, request }) => {
    if (record.epoch === 0) return;
    const older = { ...record, epoch: record.epoch - 3 };
    expect(transition(older, request)).toMatchObject({ kind: "refused", reason: "unknown epoch" });
  },
);

test.each(cases)("without a record only create is granted: $title", ({ request }) => {
  const outcome = transition(null, request);
  if (request.kind === "create") expect(outcome).toEqual({ kind: "granted", record: fresh });
  else expect(outcome).toEqual({ kind: "refused", reason: "missing record", record: null });
});

test.each(cases)("another VM's record is never changed: $title", ({ record, request }) => {
  const other = { ...record, vm: "vm-2" };
  expect(transition(other, request)).toEqual({
    kind: "refused",
    reason: "another VM",
    record: other,
  });
});

test("a take-over is not granted again to a runner that is alone for another reason", () => {
  const neverTakenOver = { ...alone, epoch: 6, takeovers: 0 };
  expect(transition(neverTakenOver, { kind: "takeover", vm, runner: "a", epoch: 5 })).toEqual({
    kind: "refused",
    reason: "stale epoch",
    record: neverTakenOver,
  });
});

test("a delayed pair that lost against alone never names its backup", () => {
  const settled = grantedBy(transition(paired, { kind: "alone", vm, runner: "a", epoch: 5 }));
  const delayed: RecordRequest = { kind: "pair", vm, runner: "a", backup: "c", epoch: 5 };
  expect(transition(settled, delayed)).toMatchObject({ kind: "refused", reason: "stale epoch" });
});

function makeRequest(fields: Record<string, unknown>, epoch: number): RecordRequest {
  const expected = fields["kind"] === "create" ? {} : { epoch };
  return { ...fields, vm, ...expected } as unknown as RecordRequest;
}

function grantedBy(outcome: RecordOutcome): VmRecord {
  if (outcome.kind !== "granted") throw new Error(`refused: ${outcome.reason}`);
  return outcome.record;
}
