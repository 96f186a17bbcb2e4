/** Which changes of what a runner says are worth another look at its VM. */
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import { lagStepsMs } from "../reconcile/status.ts";

/** Two reports with the same text lead to the same plan. */
export function coarseReport(report: RunnerStatus | null): string {
  if (report === null) return "";
  const { role, live, epoch, primary, backup, lastGoLive, transfers, divergences } = report;
  const lagMs = report.recentLagMs.p99;
  return JSON.stringify([
    ...[role, live, epoch, primary, backup, transfers.running, divergences],
    // How long ago that was changes all the time.
    ...[lastGoLive?.reason, lastGoLive?.afterMs],
    role === "primary" ? lagStepsMs.findIndex((ms) => lagMs <= ms) : 0,
    isDetached(report),
  ]);
}

/** Something is going on that is soon over. */
export function isPassing({ role, transfers }: RunnerStatus): boolean {
  return transfers.running || (role !== "primary" && role !== "backup" && role !== "candidate");
}

/** The guest runs there, and no gateway lets it in. */
export function isDetached({ role, live, network }: RunnerStatus): boolean {
  return role === "primary" && live && !network.attached;
}
