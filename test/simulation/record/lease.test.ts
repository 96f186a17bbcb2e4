import { expect, test } from "@jest/globals";
import type {
  RecordOutcome,
  RecordRequest,
  VmRecord,
} from "../../../src/shared/protocol/record.ts";
import type { Answer } from "../events.ts";
import { Lease, type LeaseApi, LeaseStore } from "./lease.ts";

const vm = "vm-1";
const paired: VmRecord = { vm, epoch: 2, primary: "a", backup: "b", takeovers: 0 };
const taken: VmRecord = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };
const takeover: RecordRequest = { kind: "takeover", vm, runner: "b", epoch: 2 };
const alone: RecordRequest = { kind: "alone", vm, runner: "a", epoch: 2 };

test("an update at an old resourceVersion changes nothing", () => {
  const lease = leaseOf(paired);
  const { resourceVersion } = lease.get();
  lease.touch();
  expect(lease.update(resourceVersion, taken)).toBe("conflict");
  expect(lease.get().record).toEqual(paired);
  expect(lease.update(lease.get().resourceVersion, taken)).toBe("updated");
  expect(lease.get().record).toEqual(taken);
});

/** What another writer does between the reading and the first writing. */
const meanwhile: [string, (lease: Lease) => void, RecordOutcome, number][] = [
  ["nothing", () => undefined, { kind: "granted", record: taken }, 1],
  ["the operator's annotation", (lease) => lease.touch(), { kind: "granted", record: taken }, 2],
  [
    "the same request, sent before",
    (lease) => apply(lease, takeover),
    { kind: "granted", record: taken },
    1,
  ],
  [
    "its deletion",
    (lease) => lease.delete(),
    { kind: "refused", reason: "missing record", record: null },
    1,
  ],
  [
    "the primary's request",
    (lease) => apply(lease, alone),
    {
      kind: "refused",
      reason: "stale epoch",
      record: { ...paired, epoch: 3, backup: null },
    },
    1,
  ],
];
test.each(meanwhile)("between reading and writing comes %s", (_, comeBetween, expected, writes) => {
  const lease = leaseOf(paired);
  let updates = 0;
  const api: LeaseApi = {
    get: (done) => done(lease.get()),
    update: (resourceVersion, record, done) => {
      if (++updates === 1) comeBetween(lease);
      done(lease.update(resourceVersion, record));
    },
  };
  expect(answerOf(api, takeover)).toEqual({ kind: "outcome", outcome: expected });
  expect(updates).toBe(writes);
  expect(lease.get().record).toEqual(expected.record);
});

test("a Lease that was deleted does not look like a new VM", () => {
  const outcome = { kind: "refused", reason: "missing record", record: null };
  expect(answerOf(apiOf(new Lease()), takeover)).toEqual({ kind: "outcome", outcome });
});

test("a refused request writes nothing", () => {
  const lease = leaseOf(taken);
  const before = lease.get();
  apply(lease, alone);
  expect(lease.get()).toEqual(before);
});

function leaseOf(record: VmRecord): Lease {
  const lease = new Lease();
  lease.update(lease.get().resourceVersion, record);
  return lease;
}

function apiOf(lease: Lease): LeaseApi {
  return {
    get: (done) => done(lease.get()),
    update: (resourceVersion, record, done) => done(lease.update(resourceVersion, record)),
  };
}

function apply(lease: Lease, request: RecordRequest): void {
  answerOf(apiOf(lease), request);
}

function answerOf(api: LeaseApi, request: RecordRequest): Answer | null {
  let answer: Answer | null = null;
  new LeaseStore(api).apply(request, (given) => {
    answer = given;
  });
  return answer;
}
