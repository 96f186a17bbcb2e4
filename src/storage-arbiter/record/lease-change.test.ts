import { describe, expect, test } from "@jest/globals";
import type { RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { type Lease, leaseAnnotations, leaseWith, recordOfLease } from "./kube-lease.ts";
import { leaseChange } from "./lease-change.ts";
import { parseLeaseName } from "./lease-name.ts";
import { leaseSchema, saysNoLease } from "./lease-schema.ts";

const vm = "vm-1";
const time = "2026-01-02T03:04:05.678000Z";
const nobody = () => null;
const empty: Lease = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: {
    ...{ name: "web", namespace: "shop", uid: "uid-1", resourceVersion: "7" },
    annotations: { [leaseAnnotations.vm]: vm, [leaseAnnotations.takeovers]: "0" },
  },
};
const pairRecord: VmRecord = { vm, epoch: 2, primary: "a", backup: "b", takeovers: 0 };
const paired = leaseWith(empty, pairRecord, nobody, time);
const change = (lease: Lease, request: RecordRequest) => leaseChange(lease, request, nobody, time);

describe("leaseChange", () => {
  test("writes what is granted on the version that it was decided on", () => {
    const changed = change(paired, { kind: "takeover", vm, runner: "b", epoch: 2 });
    if (changed.kind !== "write") throw new Error(changed.kind);
    const record = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };
    expect(changed.outcome).toEqual({ kind: "granted", record });
    expect(recordOfLease(changed.lease)).toEqual({ kind: "record", record });
    expect(changed.lease.metadata).toMatchObject({ uid: "uid-1", resourceVersion: "7" });
  });

  test("writes nothing for what is refused", () => {
    expect(change(paired, { kind: "takeover", vm, runner: "c", epoch: 2 })).toEqual({
      kind: "settled",
      outcome: { kind: "refused", reason: "not the backup", record: pairRecord },
    });
  });

  test("writes nothing for what was granted before and whose answer was lost", () => {
    const settled = change(paired, { kind: "pair", vm, runner: "a", backup: "b", epoch: 1 });
    expect(settled).toEqual({
      kind: "settled",
      outcome: { kind: "granted", record: pairRecord },
    });
  });

  test("grants and refuses nothing on a Lease that is another VM's", () => {
    const other = change(paired, { kind: "takeover", vm: "vm-2", runner: "b", epoch: 2 });
    expect(other).toEqual({
      kind: "unusable",
      message: "Lease shop/web is the record of VM vm-1, not of vm-2",
    });
  });

  test("grants and refuses nothing on a Lease that is no record", () => {
    const broken = { ...paired, spec: { ...paired.spec, leaseTransitions: -1 } };
    expect(change(broken, { kind: "takeover", vm, runner: "b", epoch: 2 })).toMatchObject({
      kind: "unusable",
    });
  });
});

test("what an answer has beside the record is kept", () => {
  const answer = {
    ...empty,
    metadata: { ...empty.metadata, labels: { theirs: "x" }, managedFields: [{ manager: "m" }] },
    spec: { leaseDurationSeconds: 4, holderIdentity: "a" },
  };
  expect(leaseSchema.parse(answer)).toEqual(answer);
});

test.each(["uid", "resourceVersion"])("an answer without its %s is no Lease", (field) => {
  const answer = { ...empty, metadata: { ...empty.metadata, [field]: "" } };
  expect(leaseSchema.safeParse(answer).success).toBe(false);
});

const notFound = {
  ...{ kind: "Status", apiVersion: "v1", status: "Failure", code: 404, reason: "NotFound" },
  ...{ message: "leases … not found", details: { name: "web", kind: "leases" } },
};
test.each<[string, number, unknown, boolean]>([
  ["the API server's word", 404, notFound, true],
  [
    "its word about another Lease",
    404,
    { ...notFound, details: { name: "x", kind: "leases" } },
    false,
  ],
  ["its word about another kind", 404, { ...notFound, details: { name: "web" } }, false],
  ["a server that serves no Leases yet", 404, { ...notFound, details: {} }, false],
  ["another reason", 404, { ...notFound, reason: "Unknown" }, false],
  ["a page that is no Status", 404, { kind: "Page" }, false],
  ["no object at all", 404, null, false],
  ["a Status with another code", 403, notFound, false],
])("that there is no Lease is believed only of the API server: %s", (_, status, body, is) => {
  expect(saysNoLease(status, body, "web")).toBe(is);
});

test.each([
  ["shop/web", { namespace: "shop", name: "web" }],
  ["shop/web.1", { namespace: "shop", name: "web.1" }],
  ["web", null],
  ["shop/", null],
  ["/web", null],
  ["shop/web/x", null],
  ["shop/..", null],
  ["Shop/web", null],
  ["shop/web?x", null],
])("as the name of a Lease %s is read right", (text, name) => {
  expect(parseLeaseName(text)).toEqual(name);
});
