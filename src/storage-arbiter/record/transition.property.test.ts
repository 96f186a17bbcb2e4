import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { MemoryStore } from "./memory-store.ts";

const vm = "vm-1";
/** A role stands for whoever has it then; otherwise most requests would be refused. */
const runner = fc.constantFrom("primary", "primary", "backup", "a", "b", "c");

const kinds = ["start", "pair", "takeover", "alone", "handover", "stop", "restart"] as const;
/** What needs a pair is asked more often, or it would hardly ever be granted. */
const pairKinds = ["pair", "pair", "takeover", "handover"] as const;

/** What the network and the runners do: ask something now, or deliver an old request (again). */
const action = fc.oneof(
  fc.record({
    kind: fc.constantFrom(...kinds, ...pairKinds, ...pairKinds, ...pairKinds),
    runner,
    backup: runner,
    /** How old the requester's knowledge of the epoch is. */
    behind: fc.constantFrom(0, 0, 0, 1, 2),
    /** Held back by the network; a later `repeat` may deliver it. */
    delayed: fc.constantFrom(true, false, false),
  }),
  fc.record({ pick: fc.nat() }),
);

test("no interleaving of requests, delayed or delivered twice, breaks the record", () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(fc.array(action, { minLength: 40, maxLength: 80 }), (actions) => {
      const store = new MemoryStore();
      const sent: RecordRequest[] = [{ kind: "create", vm }];
      store.apply(sent[0] as RecordRequest);
      for (const act of actions) {
        let request: RecordRequest;
        if ("pick" in act) request = sent[act.pick % sent.length] as RecordRequest;
        else {
          request = makeRequest(act, store.read(vm) as VmRecord);
          sent.push(request);
          if (act.delayed) continue;
        }
        const before = store.read(vm) as VmRecord;
        const outcome = store.apply(request);
        checkStep(before, request, outcome, store.read(vm) as VmRecord);
        if (outcome.kind === "granted") seen[request.kind] = (seen[request.kind] ?? 0) + 1;
      }
    }),
    { numRuns: 1000 },
  );
  // The run proves nothing about a transition that it hardly ever made.
  for (const kind of kinds)
    expect({ kind, often: (seen[kind] ?? 0) > 100 }).toEqual({ kind, often: true });
});

test("every request of the past, delivered again, leaves the record as it is", () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 40, maxLength: 80 }), (actions) => {
      const store = new MemoryStore();
      const granted: RecordRequest[] = [{ kind: "create", vm }];
      store.apply(granted[0] as RecordRequest);
      for (const act of actions) {
        if ("pick" in act) continue;
        const request = makeRequest(act, store.read(vm) as VmRecord);
        if (store.apply(request).kind === "granted") granted.push(request);
      }
      const final = store.read(vm);
      for (const request of granted) {
        store.apply(request);
        expect(store.read(vm)).toEqual(final);
      }
    }),
    { numRuns: 300 },
  );
});

function checkStep(
  before: VmRecord,
  request: RecordRequest,
  outcome: RecordOutcome,
  after: VmRecord,
): void {
  const step = `${JSON.stringify(request)} on ${JSON.stringify(before)}`;
  if (outcome.kind === "granted") expect(outcome.record).toEqual(after);
  if (outcome.kind === "refused" || after.epoch === before.epoch) {
    expect({ step, after }).toEqual({ step, after: before });
    return;
  }
  expect({ step, epoch: after.epoch }).toEqual({ step, epoch: before.epoch + 1 });
  const tookOver = request.kind === "takeover" ? 1 : 0;
  expect({ step, n: after.takeovers }).toEqual({ step, n: before.takeovers + tookOver });
  if (after.primary !== null)
    expect({ step, x: after.backup }).not.toEqual({ step, x: after.primary });
  else expect({ step, x: after.backup }).toEqual({ step, x: null });
  // A runner that the record did not name becomes primary only through start or restart.
  const named = [before.primary, before.backup];
  const entered = after.primary !== null && !named.includes(after.primary);
  if (entered) expect(["start", "restart"]).toContain(request.kind);
  if (after.primary !== before.primary && after.primary === before.backup && after.primary !== null)
    expect(["takeover", "handover"]).toContain(request.kind);
}

function makeRequest(
  act: { kind: string; runner: string; backup: string; behind: number },
  record: VmRecord,
): RecordRequest {
  const { kind } = act;
  const { epoch } = record;
  const nameOf = (who: string) =>
    (who === "primary" ? record.primary : who === "backup" ? record.backup : who) ?? "a";
  const runner = nameOf(act.runner);
  const backup = nameOf(act.backup);
  const fields = {
    kind,
    vm,
    runner,
    epoch: kind === "start" ? 0 : Math.max(0, epoch - act.behind),
    ...(kind === "pair" ? { backup } : {}),
    ...(kind === "restart" ? { bothProvenGone: true } : {}),
  };
  return fields as unknown as RecordRequest;
}
