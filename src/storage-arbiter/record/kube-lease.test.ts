import { describe, expect, test } from "@jest/globals";
import type { VmRecord } from "../../shared/protocol/record.ts";
import {
  addressesOf,
  type Lease,
  leaseAnnotations,
  leaseWith,
  recordOfLease,
} from "./kube-lease.ts";

const vm = "11111111-2222-3333-4444-555555555555";
const time = "2026-01-02T03:04:05.678000Z";

interface Said {
  readonly annotations?: Record<string, string>;
  readonly spec?: Lease["spec"];
}

function lease({ annotations = {}, spec }: Said = {}): Lease {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      ...{ name: "web", namespace: "shop", uid: "uid-1", resourceVersion: "7" },
      annotations: {
        [leaseAnnotations.vm]: vm,
        [leaseAnnotations.takeovers]: "0",
        ...annotations,
      },
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

const records: [string, VmRecord][] = [
  ["nobody", { vm, epoch: 0, primary: null, backup: null, takeovers: 0 }],
  ["one alone", { vm, epoch: 1, primary: "web-runner-0_0a", backup: null, takeovers: 0 }],
  ["a pair", { vm, epoch: 9, primary: "web-runner-1_0b", backup: "web-runner-2_0c", takeovers: 3 }],
  ["nobody any more", { vm, epoch: 12, primary: null, backup: null, takeovers: 3 }],
];

test.each(records)("a record of %s that was written is read back", (_, record) => {
  const written = leaseWith(lease(), record, () => null, time);
  expect(recordOfLease(written)).toEqual({ kind: "record", record });
});

test("each record can be written over each other one, and nothing of the earlier stays", () => {
  for (const [, before] of records) {
    for (const [, after] of records) {
      const written = leaseWith(
        leaseWith(lease(), before, () => "10.0.0.1", time),
        after,
        () => null,
        time,
      );
      expect(recordOfLease(written)).toEqual({ kind: "record", record: after });
      const named = [after.primary, after.backup].filter((nonce) => nonce !== null);
      for (const nonce of addressesOf(written).keys()) expect(named).toContain(nonce);
    }
  }
});

test("as kubectl shows it: the holder is the primary, the transitions are the epoch", () => {
  const [, pair] = records[2] ?? [];
  if (pair === undefined) throw new Error("no such record");
  const written = leaseWith(lease(), pair, () => null, time);
  expect(written.spec).toEqual({
    holderIdentity: "web-runner-1_0b",
    leaseTransitions: 9,
    renewTime: time,
  });
});

test("what others wrote on the Lease stays, and so does its version", () => {
  const before: Lease = {
    ...lease({ annotations: { theirs: "x" }, spec: { holderIdentity: "a", leaseTransitions: 1 } }),
  };
  const record: VmRecord = { vm, epoch: 2, primary: "b", backup: null, takeovers: 1 };
  const written = leaseWith(before, record, () => null, time);
  expect(written.metadata).toMatchObject({ uid: "uid-1", resourceVersion: "7" });
  expect(written.metadata.annotations).toMatchObject({ theirs: "x" });
});

describe("addresses", () => {
  const paired = lease({
    spec: { holderIdentity: "a", leaseTransitions: 2 },
    annotations: {
      [leaseAnnotations.backup]: "b",
      [leaseAnnotations.primaryAddress]: "10.0.0.1",
      [leaseAnnotations.backupAddress]: "10.0.0.2",
    },
  });

  test("follow their runners when the roles change", () => {
    const swapped: VmRecord = { vm, epoch: 3, primary: "b", backup: "a", takeovers: 0 };
    const known = addressesOf(leaseWith(paired, swapped, () => null, time));
    expect([...known]).toEqual([
      ["b", "10.0.0.2"],
      ["a", "10.0.0.1"],
    ]);
  });

  test("of whoever is named no more are forgotten", () => {
    const alone: VmRecord = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };
    expect([...addressesOf(leaseWith(paired, alone, () => null, time))]).toEqual([
      ["b", "10.0.0.2"],
    ]);
  });

  test("that the writer knows replace those that the Lease had", () => {
    const alone: VmRecord = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };
    const written = leaseWith(paired, alone, (nonce) => (nonce === "b" ? "10.0.0.9" : null), time);
    expect([...addressesOf(written)]).toEqual([["b", "10.0.0.9"]]);
  });

  test("that nobody knows are absent", () => {
    const other: VmRecord = { vm, epoch: 3, primary: "a", backup: "c", takeovers: 0 };
    const written = leaseWith(paired, other, () => null, time);
    expect(written.metadata.annotations).not.toHaveProperty([leaseAnnotations.backupAddress]);
  });
});

const holder = { holderIdentity: "a", leaseTransitions: 2 };
test.each<[string, Lease, RegExp]>([
  ["without a VM", lease({ annotations: { [leaseAnnotations.vm]: "" } }), /vm-uid is ""/],
  ["whose VM is no id", lease({ annotations: { [leaseAnnotations.vm]: "../x" } }), /is "..\/x"/],
  ["without annotations", { ...lease(), metadata: { name: "web", namespace: "shop" } }, /vm-uid/],
  [
    "without a count of take-overs",
    lease({ annotations: { [leaseAnnotations.takeovers]: "" } }),
    /takeovers is ""/,
  ],
  [
    "with a count that is no number",
    lease({ annotations: { [leaseAnnotations.takeovers]: "-1" } }),
    /takeovers is "-1"/,
  ],
  ["at an epoch below 0", lease({ spec: { leaseTransitions: -1 } }), /its epoch is -1/],
  ["at half an epoch", lease({ spec: { leaseTransitions: 1.5 } }), /its epoch is 1.5/],
  ["held by no nonce", lease({ spec: { holderIdentity: "a b" } }), /it names "a b"/],
  [
    "held by a longer nonce than there is",
    lease({ spec: { holderIdentity: "a".repeat(129) } }),
    /it names "aaa/,
  ],
  [
    "with a backup and no primary",
    lease({ annotations: { [leaseAnnotations.backup]: "b" } }),
    /a backup and no primary/,
  ],
  [
    "with one runner twice",
    lease({ spec: holder, annotations: { [leaseAnnotations.backup]: "a" } }),
    /both halves are the same runner/,
  ],
])("a Lease %s is no record, and the sentence says why", (_, wrong, message) => {
  const read = recordOfLease(wrong);
  expect(read.kind).toBe("unusable");
  expect(read).toMatchObject({ message: expect.stringMatching(message) });
  expect(read).toMatchObject({ message: expect.stringContaining("Lease shop/web is no record") });
});

test("a Lease that was just made, without a holder, is a record at epoch 0", () => {
  const record = { vm, epoch: 0, primary: null, backup: null, takeovers: 0 };
  for (const spec of [undefined, {}, { holderIdentity: null, leaseTransitions: null }]) {
    const made = spec === undefined ? lease() : lease({ spec });
    expect(recordOfLease(made)).toEqual({ kind: "record", record });
  }
});
