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
import { assert } from "../../shared/assert.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import { annotations } from "../api/names.ts";
import type { FTVirtualMachine, RunnerEndReason, RunningSpec } from "../api/v1alpha1.ts";
import { badEndsOf } from "./ends.ts";
import type { Observation, OperatorSettings } from "./observation.ts";
import { isPairGone, type PairSight } from "./sight.ts";

export type Life =
  /** Nothing is to run. `why` says what keeps it down. */
  | { readonly kind: "off"; readonly why: OffReason; readonly running: RunningSpec | null }
  /** It lives and is to be switched off. */
  | { readonly kind: "stopping"; readonly running: RunningSpec | null }
  /** Runners of this life are to be made; the record is still where the life begins. */
  | { readonly kind: "starting"; readonly running: RunningSpec; readonly isNew: boolean }
  /** The record is past the beginning of this life. */
  | { readonly kind: "on"; readonly running: RunningSpec };

export type OffReason = "PoweredOff" | "GuestPoweredOff" | "PairLost" | "Trapped" | "BootFailed";

/** Ends of runners that say: another try with the same spec would end alike. */
const hopeless: Partial<Record<RunnerEndReason, OffReason>> = {
  Trapped: "Trapped",
  Unbootable: "BootFailed",
};
/** So many hopeless ends in a row of one life are believed. */
const hopelessEndsMax = 2;

export function decideLife(o: Observation, record: VmRecord, sight: PairSight): Life {
  const { spec, status } = o.vm;
  const running = status?.running ?? null;
  const isOff = record.primary === null || isPairGone(sight, record) || isVouchedGone(o.vm, record);
  if (spec.powerState === "Stopped") {
    return isOff
      ? { kind: "off", why: "PoweredOff", running: null }
      : { kind: "stopping", running };
  }
  if (!isOff) return { kind: "on", running: running ?? adopt(o) };
  if (running === null) return begin(o, record);
  if (record.epoch === running.fromEpoch) return starting(o, record, running);
  return ended(o, record, running);
}

/** The record is still at the beginning of `running`. */
function starting(o: Observation, record: VmRecord, running: RunningSpec): Life {
  const why = hopelessReason(o, running);
  if (isSameBoot(running, runningOf(o.vm.spec, o.settings))) {
    if (why !== null) return { kind: "off", why, running };
    return { kind: "starting", running, isNew: false };
  }
  // It never ran: nothing is lost when it begins with what the spec says now.
  return begin(o, record);
}

/** The life has ended by itself, or both halves are gone. */
function ended(o: Observation, record: VmRecord, running: RunningSpec): Life {
  const why = hopelessReason(o, running);
  if (why !== null) return { kind: "off", why, running };
  if (record.primary === null && !wasTakenAway(o, record, running)) {
    return { kind: "off", why: "GuestPoweredOff", running };
  }
  if (o.vm.spec.faultTolerance.onPairLost === "Hold") {
    return { kind: "off", why: "PairLost", running };
  }
  return begin(o, record);
}

/**
 * Its last runners were deleted, and the guest was switched off because there was nobody to hand over
 * to: nobody wanted it off. What was said once stays: the pods that show it go, and the operator deletes
 * those of a guest that switched itself off.
 */
function wasTakenAway(
  { pods, vm }: Observation,
  { epoch }: VmRecord,
  running: RunningSpec,
): boolean {
  const said = vm.status?.epoch === epoch ? vm.status.phase : undefined;
  if (said === "Lost" || said === "Stopped") return said === "Lost";
  // A backup that was lost before is being deleted too: it is about who lived last, if that is known.
  const last = vm.status?.epoch === epoch - 1 ? vm.status.primary?.pod : undefined;
  const isLast = (name: string) => last === undefined || last === name;
  return pods.some(
    (p) => p.component === "runner" && p.life === running.life && p.deleting && isLast(p.name),
  );
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

/** Two hopeless ends of this life, unless the spec has changed since. */
function hopelessReason(o: Observation, running: RunningSpec): OffReason | null {
  const bad = badEndsOf(o.vm, o.vm.status?.recentEnds ?? [], running.life);
  const last = bad.at(-1);
  const why = last === undefined ? undefined : hopeless[last.reason];
  const alike = bad.filter((end) => end.reason === last?.reason).length;
  return why !== undefined && alike >= hopelessEndsMax ? why : null;
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
    memory: spec.memory,
    boot: spec.boot,
    heartbeatMilliseconds,
    timeoutMilliseconds,
    lagTargetMilliseconds,
  };
}

/** Fields in which two lives would differ, life and epoch aside. */
export function differences(a: RunningSpec, b: RunningSpec): readonly string[] {
  const { life: _life, fromEpoch: _epoch, ...fields } = a;
  // SAFETY: the keys of an object of this type.
  const names = Object.keys(fields) as (keyof typeof fields)[];
  return names.filter((name) => stable(a[name]) !== stable(b[name]));
}

function isSameBoot(a: RunningSpec, b: RunningSpec): boolean {
  return differences(a, b).length === 0;
}

/** JSON with the keys in order: the API server may give them in another one. */
export function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, inner]) => `${JSON.stringify(key)}:${stable(inner)}`).join(",")}}`;
}

/** MiB of a memory quantity such as 128Mi or 1Gi. */
export function memoryMiBOf(memory: string): number {
  const match = /^([1-9][0-9]*)(Mi|Gi)$/.exec(memory);
  assert(match !== null, `memory is ${memory}; the API server lets only Mi and Gi pass`);
  return Number(match[1]) * (match[2] === "Gi" ? 1024 : 1);
}
