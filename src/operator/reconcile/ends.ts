/** The ends of runners: why each ended, and how the next try is spaced. */
import { exitCodes } from "../../shared/exit-codes.ts";
import type { FTVirtualMachine, RunnerEnd, RunnerEndReason } from "../api/v1alpha1.ts";
import type { Observation, ObservedPod } from "./observation.ts";
import { isTurnedAway, type RunnerSight } from "./sight.ts";
import { millisecondsOf, timestampOf } from "./timestamp.ts";

/** Ends that are remembered. */
const endsMax = 12;
/** An end counts for so long. */
const endWindowMs = 10 * 60_000;
/** So many diverged backups in the window, and no further one is tried (design, "Divergence"). */
const divergencesMax = 3;
/** Pause before the next try after so many bad ends in the window; then the last one. */
const pausesMs = [0, 0, 1_000, 5_000, 15_000, 30_000, 60_000];
const messageLengthMax = 1_000;

/** `known` and the ends that are news, at this epoch of the record; runners whose end is in `known` may be cleared away. */
export function noteEnds(
  known: readonly RunnerEnd[],
  runners: readonly RunnerSight[],
  epoch: number,
  { vm, nowMs }: Observation,
): readonly RunnerEnd[] {
  const { generation } = vm.metadata;
  const noted = new Set(known.map((end) => end.pod));
  const fresh = runners
    .filter((seen) => seen.gone && !noted.has(seen.pod.name))
    .map(({ pod }) => ({ ...endOf(pod), epoch, generation, time: timestampOf(nowMs) }));
  return fresh.length === 0 ? known : [...known, ...fresh].slice(-endsMax);
}

function endOf(pod: ObservedPod): Pick<RunnerEnd, "pod" | "life" | "reason" | "message"> {
  const { terminated, waiting } = pod;
  const said =
    terminated === null ? `${waiting?.reason ?? ""} ${waiting?.message ?? ""}` : terminated.message;
  const message = lastWords(said).slice(0, messageLengthMax);
  return { pod: pod.name, life: pod.life, reason: reasonOf(pod), message };
}

/**
 * What the kubelet has of a process that failed is the end of its log: the last line counts, and of a
 * structured one what it says to people.
 */
function lastWords(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null) return line;
    if ("message" in entry && typeof entry.message === "string") return entry.message;
    return "msg" in entry && typeof entry.msg === "string" ? entry.msg : line;
  } catch {
    return line;
  }
}

/** Ended by SIGKILL: by the kernel for want of memory, or by somebody else. */
const killedCode = 137;

function reasonOf(pod: ObservedPod): RunnerEndReason {
  const { terminated, deleting, role } = pod;
  if (terminated === null) return isTurnedAway(pod) ? "TurnedAway" : "NodeLost";
  const isKilled = terminated.exitCode === killedCode && !/\bOOMKilled$/.test(terminated.message);
  // One that did its work and was killed from outside says nothing against the next one.
  if (isKilled && role !== null) return "Killed";
  switch (terminated.exitCode) {
    case exitCodes.ok:
    case exitCodes.superseded:
      return "Left";
    case exitCodes.leftAlone:
      return "LeftAlone";
    case exitCodes.divergence:
      return "Diverged";
    case exitCodes.trapped:
      return "Trapped";
    case exitCodes.refused:
      return "Refused";
    case exitCodes.usage:
      return "Unbootable";
    default:
      return deleting ? "Left" : "Crashed";
  }
}

/** They say nothing against the next runner. */
const harmless: ReadonlySet<RunnerEndReason> = new Set(["Left", "LeftAlone", "Killed", "NodeLost"]);

/** Ends that count against the next try, since the spec was last changed. */
export function badEnds(vm: FTVirtualMachine, ends: readonly RunnerEnd[]): readonly RunnerEnd[] {
  return ends.filter(
    ({ reason, generation }) => !harmless.has(reason) && generation === vm.metadata.generation,
  );
}

/** Of them, those of one boot. */
export function badEndsOf(vm: FTVirtualMachine, ends: readonly RunnerEnd[], life: number) {
  return badEnds(vm, ends).filter((end) => end.life === life);
}

/** So often within the window that no further backup is tried. */
export function divergedTooOften(bad: readonly RunnerEnd[]): boolean {
  const times = bad.filter((end) => end.reason === "Diverged").map((e) => millisecondsOf(e.time));
  return times.some((time, index) => {
    const third = times[index + divergencesMax - 1];
    return third !== undefined && third - time < endWindowMs;
  });
}

/** How long to wait yet before the next try; 0: not at all. */
export function pauseMs(bad: readonly RunnerEnd[], nowMs: number): number {
  const recent = bad.filter((end) => nowMs - millisecondsOf(end.time) < endWindowMs);
  const last = recent.at(-1);
  if (last === undefined) return 0;
  const pause = pausesMs[Math.min(recent.length, pausesMs.length - 1)] ?? 0;
  // A clock that went back, or an operator whose clock is behind, does not wait longer.
  return Math.min(pause, Math.max(0, millisecondsOf(last.time) + pause - nowMs));
}
