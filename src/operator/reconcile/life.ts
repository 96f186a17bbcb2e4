/**
 * What the spec and the record together call for: is the machine to run, with what was it started, and
 * may it be booted anew? A boot is a **life**; each has a number, and what it was started with is kept in
 * the status before the first runner of it is made, so that later halves get the same.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> off
 *   off --> starting: powerState Running
 *   starting --> on: the record names a primary
 *   on --> stopping: powerState Stopped
 *   stopping --> off: the record names nobody
 *   on --> off: the guest switched itself off, or both halves are proven gone
 * ```
 */
import type { VmRecord } from "../../shared/protocol/record.ts";
import { annotations } from "../api/names.ts";
import type { FTVirtualMachine, RunnerEnd, RunnerEndReason, RunningSpec } from "../api/v1alpha1.ts";
import { stableJson } from "../specs/object-hash.ts";
import { argumentsVersion } from "../specs/pod-arguments.ts";
import { badEnds } from "./ends.ts";
import type { Observation, OperatorSettings } from "./observation.ts";
import { isPairGone, type PairSight } from "./sight.ts";

export type Life =
  /** Nothing is to run. `why` says what keeps it down. */
  | { readonly kind: "off"; readonly why: OffReason; readonly running: RunningSpec | null }
  /** It lives and is to be switched off. */
  | { readonly kind: "stopping"; readonly running: RunningSpec | null }
  /** Runners of this life are to be made; the record is still where the life begins. */
  | { readonly kind: "starting"; readonly running: RunningSpec; readonly isNew: boolean }
  /** The spec was changed before this life began: its runners go before another one is begun. */
  | { readonly kind: "withdrawing"; readonly running: RunningSpec }
  /** The record is past the beginning of this life. */
  | { readonly kind: "on"; readonly running: RunningSpec };

type OffReason = "PoweredOff" | "GuestPoweredOff" | "PairLost" | "Trapped" | "BootFailed";

/** Ends of runners that say: another try with the same spec would end alike. */
const hopeless: Partial<Record<RunnerEndReason, OffReason>> = {
  Trapped: "Trapped",
  Unbootable: "BootFailed",
};
/** So many hopeless ends in a row are believed. */
const hopelessEndsMax = 2;

/** `ends`: of its runners, those that are news among them. */
export function decideLife(
  o: Observation,
  record: VmRecord,
  sight: PairSight,
  ends: readonly RunnerEnd[],
): Life {
  const { spec, status } = o.vm;
  const running = status?.running ?? null;
  const vouched = isVouchedGone(o.vm, record) && !answers(sight);
  const isOff = record.primary === null || isPairGone(sight, record) || vouched;
  if (spec.powerState === "Stopped") {
    return isOff
      ? { kind: "off", why: "PoweredOff", running: null }
      : { kind: "stopping", running: running === null ? null : { ...running, ordered: "off" } };
  }
  if (!isOff) return { kind: "on", running: running ?? adopt(o) };
  if (running === null) return begin(o, record);
  if (record.epoch === running.fromEpoch) return starting(o, record, sight, ends, running);
  return ended(o, record, sight, ends, running);
}

/** The record is still at the beginning of `running`. */
function starting(
  o: Observation,
  record: VmRecord,
  sight: PairSight,
  ends: readonly RunnerEnd[],
  running: RunningSpec,
): Life {
  const why = hopelessReason(o, ends);
  if (isSameBoot(running, runningOf(o.vm.spec, o.settings))) {
    if (why !== null) return { kind: "off", why, running };
    return { kind: "starting", running, isNew: false };
  }
  // It never ran: nothing is lost when it begins with what the spec says now. But none of the runners
  // that were made from the earlier spec may be left that could still begin it.
  const isLeft = sight.runners.some((r) => r.pod.life === running.life && !r.gone && r.nodeReady);
  return isLeft ? { kind: "withdrawing", running } : begin(o, record);
}

/** The life has ended by itself, or both halves are gone. */
function ended(
  o: Observation,
  record: VmRecord,
  sight: PairSight,
  ends: readonly RunnerEnd[],
  running: RunningSpec,
): Life {
  const why = hopelessReason(o, ends);
  if (why !== null) return { kind: "off", why, running };
  const isWanted = running.ordered === "off" || wasLeftAlone(ends, record);
  if (record.primary === null && !isWanted) {
    if (isEnding(sight, running)) return { kind: "stopping", running };
    return { kind: "off", why: "GuestPoweredOff", running };
  }
  if (o.vm.spec.faultTolerance.onPairLost === "Hold") {
    return { kind: "off", why: "PairLost", running };
  }
  return begin(o, record);
}

/**
 * Its primary was told to leave, found nobody to hand over to, and switched the guest off: nobody wanted it
 * off. The runner says so as it ends, and the record stays at the epoch at which it did.
 */
function wasLeftAlone(ends: readonly RunnerEnd[], { epoch }: VmRecord): boolean {
  return ends.some((end) => end.reason === "LeftAlone" && end.epoch === epoch);
}

/** The guest is off, and the runner that knows why has not ended yet. */
function isEnding({ runners }: PairSight, { life }: RunningSpec): boolean {
  return runners.some((r) => r.pod.role !== null && r.pod.life === life && !r.gone && r.nodeReady);
}

function begin(o: Observation, record: VmRecord): Life {
  const before = o.vm.status?.running?.life ?? (o.vm.status?.restarts ?? -1) + 1;
  const running = {
    ...runningOf(o.vm.spec, o.settings),
    life: before + 1,
    fromEpoch: record.epoch,
  };
  return { kind: "starting", running, isNew: true };
}

/** A machine that runs, whose status was lost: it goes on with what the spec says. */
function adopt(o: Observation): RunningSpec {
  const lives = o.pods.filter((p) => p.component === "runner").map((p) => p.life);
  return { ...runningOf(o.vm.spec, o.settings), life: Math.max(1, ...lives), fromEpoch: 0 };
}

/** Two hopeless ends in a row since the spec was last changed: of both halves, or of two boots. */
function hopelessReason({ vm }: Observation, ends: readonly RunnerEnd[]): OffReason | null {
  const last = badEnds(vm, ends).slice(-hopelessEndsMax);
  const why = last[0] === undefined ? undefined : hopeless[last[0].reason];
  const alike = last.filter((end) => end.reason === last[0]?.reason).length;
  return why !== undefined && alike === hopelessEndsMax ? why : null;
}

/** A runner that the record names was heard of a moment ago, whatever anybody says. */
function answers({ primary, backup }: PairSight): boolean {
  return [primary, backup].some((seen) => seen !== null && seen.pod.report !== null);
}

/** Somebody says, for exactly this epoch, that whoever the record names is gone. */
function isVouchedGone(vm: FTVirtualMachine, record: VmRecord): boolean {
  const word = vm.metadata.annotations?.[annotations.provenGone];
  return word !== undefined && word === String(record.epoch);
}

/** What a machine that is started now would be started with; life and epoch are not decided here. */
export function runningOf(spec: FTVirtualMachine["spec"], settings: OperatorSettings): RunningSpec {
  const { heartbeatMilliseconds, timeoutMilliseconds, lagTargetMilliseconds } = spec.faultTolerance;
  return {
    life: 0,
    fromEpoch: 0,
    image: settings.image,
    arguments: argumentsVersion,
    memory: spec.memory,
    boot: spec.boot,
    heartbeatMilliseconds,
    timeoutMilliseconds,
    lagTargetMilliseconds,
  };
}

/** Fields of the spec, and the image, in which two lives would differ; arguments only follow the image. */
export function differences(a: RunningSpec, b: RunningSpec): readonly string[] {
  const { life: _l, fromEpoch: _e, ordered: _o, arguments: _a, ...fields } = a;
  // SAFETY: the keys of an object of this type.
  const names = Object.keys(fields) as (keyof typeof fields)[];
  return names.filter((name) => stableJson(a[name]) !== stableJson(b[name]));
}

function isSameBoot(a: RunningSpec, b: RunningSpec): boolean {
  return differences(a, b).length === 0;
}
