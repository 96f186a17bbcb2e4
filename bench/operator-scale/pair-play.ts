/**
 * What runners do about their VM's record, and what they say of themselves: the part of them that the
 * operator sees. Pure; the decision about the record itself is the runners' own (transition.ts).
 */
import type { RecordRequest, VmRecord } from "../../src/shared/protocol/record.ts";
import type { GoLiveStatus, RunnerRole, RunnerStatus } from "../../src/shared/protocol/status.ts";

/** What they would ask for now; null: nothing. `living`: nonces of the runners that run, oldest first. */
export function nextRequest(record: VmRecord, living: readonly string[]): RecordRequest | null {
  const { vm, epoch, primary, backup } = record;
  const [first] = living;
  if (primary === null) {
    // Switched off, or not begun yet: only at epoch 0 may somebody begin by itself.
    return epoch === 0 && first !== undefined
      ? { kind: "start", vm, runner: first, epoch: 0 }
      : null;
  }
  if (!living.includes(primary)) {
    const takesOver = backup !== null && living.includes(backup);
    return takesOver ? { kind: "takeover", vm, runner: backup, epoch } : null;
  }
  if (backup !== null) {
    return living.includes(backup) ? null : { kind: "alone", vm, runner: primary, epoch };
  }
  const candidate = living.find((nonce) => nonce !== primary);
  return candidate === undefined
    ? null
    : { kind: "pair", vm, runner: primary, backup: candidate, epoch };
}

/** What the operator reads of a runner's status. */
export type PlayedReport = Pick<
  RunnerStatus,
  | "vm"
  | "nonce"
  | "role"
  | "live"
  | "epoch"
  | "primary"
  | "backup"
  | "lastGoLive"
  | "recentLagMs"
  | "transfers"
  | "divergences"
>;

const noTransfer = {
  running: false,
  finished: 0,
  failed: 0,
  lastPauseMs: 0,
  lastMs: 0,
  lastBytes: 0,
};

export function reportOf(
  record: VmRecord,
  nonce: string,
  { goLive, lagMs }: { readonly goLive: GoLiveStatus | null; readonly lagMs: number },
): PlayedReport {
  const { vm, epoch, primary, backup } = record;
  const role = roleOf(record, nonce);
  return {
    ...{ vm, nonce, role, live: role === "primary", epoch, primary, backup },
    lastGoLive: role === "primary" ? goLive : null,
    recentLagMs: { p50: lagMs / 2, p99: lagMs, max: lagMs },
    ...{ transfers: noTransfer, divergences: 0 },
  };
}

function roleOf({ primary, backup }: VmRecord, nonce: string): RunnerRole {
  if (nonce === primary) return "primary";
  return nonce === backup ? "backup" : "candidate";
}
