/**
 * Draws how the pair watches itself, an operator that begins the VM anew when both halves are lost, and
 * what a lone primary comes to: from generators of their own, so that seeds without them stay what they
 * are.
 */
import { type PairTimings, pairTimings } from "../../src/vm-runner/failover/pair-timings.ts";
import type { Fault, OperatorShape } from "./scenario.ts";
import { below, pick, type Random, randomOf } from "./world/random.ts";

/** Of all seeds. */
const timingsShare = 0.2;
/** Of all seeds. */
const operatorShare = 0.2;
/** Of all seeds. */
const aloneShare = 0.03;
/** Of all seeds. */
const goneWhileAloneShare = 0.01;

/** As users may choose them: the time-out is more than 3 heartbeats. */
export function drawTimings(seed: number): PairTimings {
  const random = randomOf(seed, "timings");
  if (random() >= timingsShare) return pairTimings;
  const failureTimeoutMs = pick(random, [301, 400, 700, 1_200, 2_000]);
  const heartbeatIntervalMs = 10 + below(random, Math.floor(failureTimeoutMs / 3) - 10);
  return { heartbeatIntervalMs, failureTimeoutMs, lagTargetMs: pick(random, [10, 20, 100, 1_000]) };
}

export interface DrawnOperator {
  readonly operator: OperatorShape | null;
  readonly faults: readonly Fault[];
}

/** With an operator the pair is lost now and then, and sometimes switched off and on again. */
export function drawOperator(seed: number, faultyMs: number): DrawnOperator {
  const random = randomOf(seed, "operator");
  if (random() >= operatorShare) return { operator: null, faults: [] };
  const operator = {
    lookMs: 30 + 200 * random(),
    staleMs: random() < 0.5 ? 0 : 400 * random() ** 2,
    againMs: random() < 0.8 ? 300 * random() : null,
    fenceMs: random() < 0.6 ? 500 * random() : null,
    rivals: random() < 0.4,
  };
  const faults: Fault[] = [];
  const put = (ms: number, fault: FaultBody) => {
    faults.push({ ...fault, atMs: Math.min(ms, faultyMs) });
  };
  for (let losses = 1 + below(random, 2); losses > 0; losses--) {
    let atMs = 200 + (faultyMs - 200) * random();
    const death = (node: string): FaultBody => {
      const restartMs = random() < 0.08 ? null : 10 + 400 * random() ** 2;
      return { kind: "crash", node, silent: random() < 0.3, restartMs };
    };
    if (random() < 0.5) put(atMs, { kind: "request trouble", fate: pick(random, fates) });
    put(atMs, death("primary"));
    atMs += 700 * random() ** 2;
    put(atMs, death(pick(random, ["primary", "backup", "backup"])));
    if (random() < 0.5) put(atMs, { kind: "request trouble", fate: pick(random, fates) });
    // The one that begins anew may die at once.
    if (random() < 0.5) put(atMs + 700 * random(), death("primary"));
  }
  if (random() < 0.25) put(faultyMs * random(), { kind: "power off" });
  return { operator, faults };
}

export interface DrawnLeaving {
  readonly leaveWaitMs: number;
  readonly faults: readonly Fault[];
}

/**
 * The half that stays alone is told to leave, as a primary or while it takes over, and the other one
 * comes back late, but within the time for which the first one waits. `others`: the scenario's other
 * faults; half of the time there are none of them, since they often kill whoever waits.
 */
export function drawLeaving(
  seed: number,
  others: readonly Fault[],
  faultyMs: number,
): DrawnLeaving {
  const random = randomOf(seed, "leaving");
  if (random() >= aloneShare) return { leaveWaitMs: 0, faults: others };
  const kept = random() < 0.5 ? [] : others;
  return { leaveWaitMs: leaveWaitDrawnMs, faults: [...kept, ...leavingFaults(random, faultyMs)] };
}

function leavingFaults(random: Random, faultyMs: number): readonly Fault[] {
  const atMs = aloneAtMs(random, faultyMs);
  const least = { silent: false, restartMs: 13_000 + 2_000 * random() };
  const laterMs = atMs + 20 * random();
  if (random() < 0.5) {
    return [
      { atMs, kind: "crash", node: "backup", ...least },
      { atMs: laterMs, kind: "terminate", node: "primary", restartMs: 100 },
    ];
  }
  return [
    { atMs, kind: "arbiter down", arbiter: 0, forMs: 300 },
    { atMs, kind: "crash", node: "primary", ...least },
    { atMs: laterMs + 50, kind: "terminate", node: "backup", restartMs: 100 },
  ];
}

/** When the pair is complete, if nothing went wrong before, and soon enough for what follows. */
function aloneAtMs(random: Random, faultyMs: number): number {
  return Math.max(0, faultyMs - 100 - 0.5 * (faultyMs - 500) * random());
}

/** Much longer than the wait for a half that was there a moment ago, whatever the clocks do. */
const leaveWaitDrawnMs = 30_000;

/** The record is deleted while a primary has no backup. */
export function drawGoneWhileAlone(seed: number, faultyMs: number): readonly Fault[] {
  const random = randomOf(seed, "gone while alone");
  if (random() >= goneWhileAloneShare) return [];
  const atMs = aloneAtMs(random, faultyMs);
  return [
    { atMs, kind: "crash", node: "backup", silent: false, restartMs: 400 + 200 * random() },
    { atMs: Math.min(atMs + 50 + 250 * random(), faultyMs), kind: "record gone" },
  ];
}

type FaultBody =
  | Omit<Extract<Fault, { kind: "crash" }>, "atMs">
  | Omit<Extract<Fault, { kind: "power off" }>, "atMs">
  | Omit<Extract<Fault, { kind: "request trouble" }>, "atMs">;

const fates = ["request lost", "answer lost", "late", "twice"] as const;
