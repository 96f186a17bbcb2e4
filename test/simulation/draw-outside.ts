/**
 * Draws what the guest's network is made of, and what happens to it: from generators of its own, so
 * that everything else in a seed's scenario is what it would be without a network.
 */
import type { Node } from "./events.ts";
import { type Fault, type OutsideShape, roleNodes } from "./scenario.ts";
import { gatewayNode } from "./world/gateway.ts";
import { below, pick, type Random, randomOf } from "./world/random.ts";

export interface DrawnOutside {
  readonly outside: OutsideShape | null;
  readonly timersPerFrames: number;
  readonly faults: readonly Fault[];
}

type Kind = Extract<
  Fault["kind"],
  | "gateway crash"
  | "gateway freeze"
  | "network gone"
  | "flood"
  | "old reading"
  | "partition"
  | "delay"
  | "cut"
  | "corrupt"
>;

/** Of all seeds. */
const outsideShare = 0.4;
/** Of those with a network. */
const rivalsShare = 0.12;
const kinds: readonly Kind[] = [
  "gateway crash",
  "gateway crash",
  "gateway freeze",
  "network gone",
  "flood",
  "old reading",
  "partition",
  "partition",
  "delay",
  "cut",
  "cut",
  "corrupt",
];

/** `others`: the scenario's other faults; some of these strike soon after one of them. */
export function drawOutside(
  seed: number,
  nodes: readonly Node[],
  others: readonly Fault[],
  faultyMs: number,
): DrawnOutside {
  const random = randomOf(seed, "outside world");
  if (random() >= outsideShare) return { outside: null, timersPerFrames: 0, faults: [] };
  const outside = {
    clients: pick(random, [1, 1, 2]),
    thinkMs: 5 + 60 * random(),
    lossShare: random() < 0.5 ? 0 : 0.2 * random(),
  };
  const timersPerFrames = pick(random, [0, 1, 4, 12]);
  const enabled = kinds.filter(() => random() < 0.35);
  const faults: Fault[] = [];
  const count = enabled.length === 0 ? 0 : below(random, 5);
  for (let i = 0; i < count; i++) {
    const soon = random() < 0.5 && others.length > 0;
    const atMs = soon ? pick(random, others).atMs + 150 * random() : faultyMs * random();
    faults.push(drawFault(random, pick(random, enabled), nodes, Math.min(atMs, faultyMs)));
  }
  if (random() < rivalsShare) faults.push(...drawRivals(random, faultyMs));
  return { outside, timersPerFrames, faults };
}

/**
 * A primary that only the gateway hears of is superseded; then another gateway starts, and for a
 * while hears nothing of the new primary.
 */
function drawRivals(random: Random, faultyMs: number): readonly Fault[] {
  const atMs = Math.max(0, faultyMs - 900) * random();
  const forMs = 1_200 + 800 * random();
  const laterMs = Math.min(atMs + 600 + 300 * random(), faultyMs);
  const way = { kind: "partition", oneWay: false } as const;
  return [
    { ...way, atMs, from: "primary", to: "backup", forMs },
    { ...way, atMs, from: "primary", to: "arbiter", forMs },
    { ...way, atMs: laterMs, from: gatewayNode, to: "primary", forMs: 400 + 400 * random() },
    { atMs: laterMs, kind: "gateway crash", silent: false, restartMs: 5 + 50 * random() },
  ];
}

function drawFault(random: Random, kind: Kind, nodes: readonly Node[], atMs: number): Fault {
  const node = random() < 0.5 ? pick(random, roleNodes) : pick(random, nodes);
  const way = random() < 0.5 ? ([gatewayNode, node] as const) : ([node, gatewayNode] as const);
  const [from, to] = random() < 0.15 ? ([gatewayNode, "arbiter"] as const) : way;
  const forMs = random() < 0.3 ? 400 + 1_500 * random() : 250 * random();
  const restartMs = random() < 0.08 ? null : 5 + 400 * random() ** 2;
  switch (kind) {
    case "gateway crash":
      return { atMs, kind, silent: random() < 0.3, restartMs };
    case "gateway freeze":
      return { atMs, kind, forMs };
    case "network gone":
      return { atMs, kind, deaf: random() < 0.4, forMs };
    case "flood":
      return { atMs, kind, frames: drawFlood(random), bytes: pick(random, [60, 200, 400]) };
    case "old reading":
      return { atMs, kind, epochs: 1 + below(random, 3) };
    case "partition":
      return { atMs, kind, from, to, oneWay: random() < 0.4, forMs };
    case "delay":
      return { atMs, kind, from, to, ms: 120 * random() ** 2, forMs };
    case "cut":
      return { atMs, kind, node: gatewayNode, share: random() < 0.3 ? 0 : random() };
    case "corrupt":
      return { atMs, kind, from, to };
  }
}

/** Mostly some dozens; a few are more than a gateway keeps. */
function drawFlood(random: Random): number {
  return Math.ceil(1_400 * random() ** 4);
}
