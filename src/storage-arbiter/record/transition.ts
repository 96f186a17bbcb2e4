/**
 * The decision about the record: the paper's test-and-set (section 2.3), widened to every change
 * of roles. A request names the epoch that it expects; it is granted at that epoch and makes the
 * next one, so of all requests that expect the same epoch at most one takes effect.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> nobody: create (epoch 0)
 *   nobody --> alone: start (only at epoch 0)
 *   alone --> paired: pair
 *   paired --> paired: pair (another backup), handover (roles swapped)
 *   paired --> alone: takeover (by the backup), alone (by the primary)
 *   alone --> alone: alone
 *   alone --> nobody: stop
 *   paired --> nobody: stop
 *   nobody --> alone: restart (by the operator)
 *   alone --> alone: restart
 *   paired --> alone: restart
 * ```
 *
 * An answer can be lost, so a request is granted again when its result is the current record. It
 * does not say from which record it started, and need not: a VM has exactly one record per epoch,
 * and the requester knew the one it names. No clock takes part in any decision.
 */
import type {
  RecordOutcome,
  RecordRequest,
  RefusalReason,
  VmRecord,
} from "../../shared/protocol/record.ts";

/** A request about a record that exists. */
type Change = Exclude<RecordRequest, { kind: "create" }>;

/**
 * What becomes of `request` when `record` (null: there is none) is the current one. A grant whose
 * record has the current epoch changes nothing: it repeats an answer that may have been lost.
 */
export function transition(record: VmRecord | null, request: RecordRequest): RecordOutcome {
  if (request.kind === "create") return create(record, request.vm);
  if (record === null) return { kind: "refused", reason: "missing record", record };
  if (isResult(record, request)) return { kind: "granted", record };
  const reason = refusal(record, request);
  if (reason !== null) return { kind: "refused", reason, record };
  return { kind: "granted", record: resultOf(record, request) };
}

/**
 * Asked twice before the VM started, `create` is granted twice: it is the same record. Once the
 * VM has started it never is again.
 */
function create(record: VmRecord | null, vm: string): RecordOutcome {
  const fresh = { vm, epoch: 0, primary: null, backup: null, takeovers: 0 };
  if (record === null) return { kind: "granted", record: fresh };
  if (record.vm !== vm) return { kind: "refused", reason: "another VM", record };
  if (isSame(record, fresh)) return { kind: "granted", record };
  return { kind: "refused", reason: "record exists", record };
}

/** Why `request` may not change `record`; null when it may. */
function refusal(record: VmRecord, request: Change): RefusalReason | null {
  if (record.vm !== request.vm) return "another VM";
  if (request.kind === "start" && record.epoch > 0) return "already started";
  if (record.epoch > request.epoch) return "stale epoch";
  if (record.epoch < request.epoch) return "unknown epoch";
  return roleRefusal(record, request);
}

/** Why the runner's role in `record` does not allow `request`; null when it does. */
function roleRefusal(record: VmRecord, request: Change): RefusalReason | null {
  const isPrimary = record.primary === request.runner;
  const isBackup = record.backup === request.runner;
  switch (request.kind) {
    case "start":
      return null;
    case "restart":
      return isPrimary || isBackup ? "already named" : null;
    case "takeover":
      return isBackup ? null : "not the backup";
    case "pair":
    case "handover":
    case "alone":
    case "stop":
      return isPrimary ? partnerRefusal(record, request) : "not the primary";
  }
}

/** Why the primary's `request` may not name the backup that it is about; null when it may. */
function partnerRefusal(record: VmRecord, request: Change): RefusalReason | null {
  if (request.kind === "pair" && request.backup === request.runner) return "own backup";
  if (request.kind === "handover" && record.backup === null) return "no backup";
  return null;
}

/** The record that `request`, granted at `record`, makes. */
function resultOf(record: VmRecord, request: Change): VmRecord {
  const next = { ...record, epoch: record.epoch + 1 };
  switch (request.kind) {
    case "start":
    case "alone":
    case "restart":
      return { ...next, primary: request.runner, backup: null };
    case "pair":
      return { ...next, primary: request.runner, backup: request.backup };
    case "takeover":
      return { ...next, primary: request.runner, backup: null, takeovers: record.takeovers + 1 };
    case "handover":
      return { ...next, primary: record.backup, backup: request.runner };
    case "stop":
      return { ...next, primary: null, backup: null };
  }
}

/** Is `record` what `request` makes of a record at the epoch that it expects? */
function isResult(record: VmRecord, request: Change): boolean {
  if (record.vm !== request.vm) return false;
  const before = recordBefore(record, request);
  if (before.epoch !== request.epoch || before.takeovers < 0) return false;
  return refusal(before, request) === null && isSame(resultOf(before, request), record);
}

/** The only kind of record from which `request` could have made `record`. */
function recordBefore(record: VmRecord, request: Change): VmRecord {
  const before = { vm: record.vm, epoch: record.epoch - 1, takeovers: record.takeovers };
  const { runner } = request;
  switch (request.kind) {
    case "start":
    case "restart":
      return { ...before, primary: null, backup: null };
    case "pair":
    case "alone":
    case "stop":
      return { ...before, primary: runner, backup: null };
    case "takeover":
      return { ...before, primary: null, backup: runner, takeovers: record.takeovers - 1 };
    case "handover":
      return { ...before, primary: runner, backup: record.primary };
  }
}

function isSame(a: VmRecord, b: VmRecord): boolean {
  return (
    a.vm === b.vm &&
    a.epoch === b.epoch &&
    a.primary === b.primary &&
    a.backup === b.backup &&
    a.takeovers === b.takeovers
  );
}
