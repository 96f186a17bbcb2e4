/** A scenario from a seed. Each part has a generator of its own, so that one does not shift the others. */
import { below, pick, type Random, randomOf } from "../world/random.ts";
import type { Fault, OperatorScenario, SpecChange, Whom } from "./scenario.ts";
import type { Kind } from "./world/api-server.ts";

const whoms: readonly Whom[] = ["primary", "primary", "backup", "backup", "candidate", "gateway"];
const watched: readonly Kind[] = ["FTVirtualMachine", "Pod", "Lease", "Lease", "Node", "Service"];

type Draw = (random: Random, nodes: number, atMs: number) => Fault;

const some = (random: Random, nodes: number): readonly number[] => {
  const all = Array.from({ length: nodes }, (_, index) => index);
  const count = random() < 0.75 ? 1 : 2 + below(random, nodes - 1);
  return all.toSorted(() => random() - 0.5).slice(0, count);
};
/** Mostly short, sometimes long. */
const time = (random: Random, longestMs: number) => Math.ceil(random() ** 2 * longestMs) + 500;

const draws: readonly Draw[] = [
  (r, _, atMs) => ({ atMs, kind: "deletePod", whom: pick(r, whoms), force: r() < 0.4 }),
  (r, _, atMs) => ({ atMs, kind: "deletePod", whom: pick(r, whoms), force: r() < 0.4 }),
  (r, _, atMs) => ({ atMs, kind: "evict", whom: pick(r, whoms) }),
  (r, _, atMs) => ({ atMs, kind: "kill", whom: pick(r, whoms) }),
  (r, _, atMs) => ({ atMs, kind: "kill", whom: pick(r, whoms) }),
  (r, _, atMs) => ({
    ...{ atMs, kind: "endings", code: pick(r, [1, 1, 3, 3, 10, 11, 2, 137]) },
    count: r() < 0.7 ? 1 + below(r, 5) : 10 + below(r, 20),
  }),
  (r, n, atMs) => ({
    ...{ atMs, kind: "powerCut", nodes: some(r, n), forMs: time(r, 90_000) },
    word: pick(r, ["nothing", "nothing", "out-of-service", "node deleted", "proven gone"]),
  }),
  (r, n, atMs) => ({
    ...{ atMs, kind: "powerCut", nodes: some(r, n), forMs: time(r, 90_000) },
    word: pick(r, ["nothing", "nothing", "out-of-service", "node deleted", "proven gone"]),
  }),
  (r, n, atMs) => ({ atMs, kind: "partition", nodes: some(r, n), forMs: time(r, 90_000) }),
  (r, n, atMs) => ({ atMs, kind: "freeze", nodes: some(r, n), forMs: time(r, 60_000) }),
  (r, n, atMs) => ({ atMs, kind: "kubeletDead", nodes: some(r, n), forMs: time(r, 90_000) }),
  (r, n, atMs) => ({ atMs, kind: "cordon", nodes: some(r, n), forMs: time(r, 60_000) }),
  (r, n, atMs) => ({ atMs, kind: "reboot", nodes: some(r, n) }),
  (r, n, atMs) => ({ atMs, kind: "reboot", nodes: some(r, n) }),
  (r, _, atMs) => ({ atMs, kind: "apiDown", forMs: time(r, 30_000) }),
  (r, _, atMs) => ({ atMs, kind: "quota", forMs: time(r, 60_000) }),
  (r, _, atMs) => ({ atMs, kind: "slowStarts", forMs: time(r, 60_000) }),
  (r, _, atMs) => ({ atMs, kind: "failingWrites", forMs: time(r, 40_000), share: 0.1 + r() / 2 }),
  (r, _, atMs) => ({ atMs, kind: "operatorDown", forMs: time(r, 60_000) }),
  (r, _, atMs) => ({ atMs, kind: "operatorFrozen", forMs: time(r, 30_000) }),
  (_r, _, atMs) => ({ atMs, kind: "leaderChange" }),
  (r, _, atMs) => ({ atMs, kind: "slowWatch", of: pick(r, watched), forMs: time(r, 60_000) }),
  (r, _, atMs) => ({ atMs, kind: "slowWatch", of: pick(r, watched), forMs: time(r, 60_000) }),
  (r, _, atMs) => ({ atMs, kind: "brokenWatch", of: pick(r, watched), forMs: time(r, 30_000) }),
  (r, _, atMs) => ({ atMs, kind: "spec", change: drawChange(r) }),
  (r, _, atMs) => ({ atMs, kind: "spec", change: drawChange(r) }),
];

/** Each of these changes what the machine is to come to; few runs have one. */
const rare: readonly Draw[] = [
  (_r, _, atMs) => ({ atMs, kind: "guestPowersOff" }),
  (r, _, atMs) => ({
    ...{ atMs, kind: "deleteMachine", againAfterMs: r() < 0.6 ? time(r, 20_000) : null },
  }),
  (r, _, atMs) => ({
    ...{ atMs, kind: "deleteMachine", againAfterMs: r() < 0.6 ? time(r, 20_000) : null },
  }),
  (_r, _, atMs) => ({ atMs, kind: "deleteRecord" }),
  (r, _, atMs) => ({
    ...{ atMs, kind: "deleteObject", of: pick(r, ["Service", "ServiceAccount", "Role"]) },
  }),
  (_r, _, atMs) => ({ atMs, kind: "deleteObject", of: "Secret" }),
  (r, _, atMs) => ({
    ...{ atMs, kind: "foreign", of: pick(r, ["Service", "ServiceAccount", "Pod", "Lease"]) },
  }),
];

function drawChange(random: Random): SpecChange {
  switch (below(random, 9)) {
    case 0:
    case 1:
    case 2:
      return { powerState: random() < 0.5 ? "Stopped" : "Running" };
    case 3:
    case 4:
      return { enabled: random() < 0.5 };
    case 5:
      return { memory: pick(random, ["64Mi", "128Mi", "256Mi"]) };
    case 6:
      return { ports: below(random, 3) };
    case 7:
      return { network: random() < 0.6 };
    default:
      return { onPairLost: random() < 0.5 ? "Restart" : "Hold" };
  }
}

export function scenarioOf(seed: number): OperatorScenario {
  const random = randomOf(seed, "operator");
  const nodes = 2 + below(random, 4);
  const calmMs = 30_000 + below(random, 120_000);
  const count = 1 + below(random, 7);
  const faults: Fault[] = [];
  for (let i = 0; i < count; i++) {
    // Trouble seldom comes alone: often one fault follows close upon another.
    const last = faults.at(-1)?.atMs;
    const close = last !== undefined && random() < 0.5;
    const atMs = close ? last + below(random, 6_000) : below(random, calmMs);
    const list = random() < 0.12 ? rare : draws;
    faults.push(pick(random, list)(random, nodes, atMs));
  }
  // Whatever comes close to the end is still to be seen.
  const lastMs = Math.max(...faults.map(({ atMs }) => atMs));
  return {
    ...{ seed, nodes, faults: faults.toSorted((a, b) => a.atMs - b.atMs) },
    watchMs: pick(random, [20, 100, 100, 1_000]),
    onPairLost: random() < 0.8 ? "Restart" : "Hold",
    faultTolerant: random() < 0.92,
    calmMs: Math.max(calmMs, lastMs + 5_000),
  };
}
