/**
 * Slowing the primary when the backup falls behind (the paper, section 2.4): the CPU limit goes
 * down a little at a time while the execution lag is above its target, and up gradually after.
 */
import { cpuLimitMin } from "../../shared/limits.ts";

/** The limit changes at most this often. */
export const cpuLimitIntervalMs = 20;

/** The limit moves by at most this much at a time. */
const stepMax = 0.05;
/** Lag above the target at which the primary stands almost still. */
const lagSpanMs = 100;
/** A candidate may lag by seconds after a transfer; the guest keeps at least half its speed. */
const floorWhileCatchingUp = 0.5;

/** The next CPU limit (a share of time), given the present one and how far the lag is off target. */
export function nextCpuLimit(share: number, aboveTargetMs: number, catchingUp: boolean): number {
  const floor = catchingUp ? floorWhileCatchingUp : cpuLimitMin;
  const wanted = Math.min(1, Math.max(floor, 1 - aboveTargetMs / lagSpanMs));
  const change = Math.min(stepMax, Math.max(-stepMax, wanted - share));
  return Math.min(1, share + change);
}
