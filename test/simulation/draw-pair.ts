/**
 * Draws how the pair watches itself, and an operator that begins the VM anew when both halves are
 * lost: from generators of their own, so that seeds without them stay what they are.
 */
import { type PairTimings, pairTimings } from "../../src/vm-runner/failover/pair-timings.ts";
import type { Fault, OperatorShape } from "./scenario.ts";
import { below, pick, randomOf } from "./world/random.ts";

/** Of all seeds. */
const timingsShare = 0.2;
/** Of all seeds. */
const operatorShare = 0.2;

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

type FaultBody =
  | Omit<Extract<Fault, { kind: "crash" }>, "atMs">
  | Omit<Extract<Fault, { kind: "power off" }>, "atMs">
  | Omit<Extract<Fault, { kind: "request trouble" }>, "atMs">;

const fates = ["request lost", "answer lost", "late", "twice"] as const;
