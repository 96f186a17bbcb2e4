/**
 * Draws a scenario from a seed. Each seed enables only some kinds of faults, so that rare ones are
 * not drowned by common ones and each pair of kinds meets now and then.
 */
import { drawOutside } from "./draw-outside.ts";
import { drawGoneWhileAlone, drawLeaving, drawOperator, drawTimings } from "./draw-pair.ts";
import type { Node } from "./events.ts";
import {
  type ClockShape,
  type Fault,
  type NetworkTrouble,
  plainScenario,
  roleNodes,
  type Scenario,
  type Shape,
  type StoreShape,
} from "./scenario.ts";
import { below, pick, type Random, randomOf } from "./world/random.ts";

/** Pastes, a deleted record, a late pair and the guest's network are drawn on their own. */
type OutsideKind = "gateway crash" | "gateway freeze" | "network gone" | "flood" | "old reading";
type Kind = Exclude<Fault["kind"], OutsideKind | "paste" | "record gone">;
type Paste = Extract<Body, { readonly kind: "paste" }>;
type Body = Fault extends infer F ? (F extends unknown ? Omit<F, "atMs"> : never) : never;

/** When the pair is complete, most of the time: a first life and a state transfer take this. */
const settledMs = 250;
/** Of all seeds. */
const pasteShare = 0.025;
/** Of all seeds. */
const recordGoneShare = 0.04;
/** Of all seeds. */
const latePairShare = 0.025;

export function scenarioOf(seed: number, shape: Shape = "full"): Scenario {
  return shape === "short" ? shortScenario(seed) : fullScenario(seed);
}

function shortScenario(seed: number): Scenario {
  const random = randomOf(seed, "short scenario");
  const atMs = settledMs + 100 * random();
  const fault: Fault = {
    ...{ kind: "crash at effect", atMs, node: "primary", nth: 1 + below(random, 40) },
    ...{ when: pick(random, ["before", "after"]), silent: random() < 0.5, restartMs: 20 },
  };
  const guest = { memoryBytes: 32 * 1024, timerUs: 10_000, burstBytes: 512, timersPerFrames: 0 };
  const network = { ...plainScenario.network, jitterMs: random() };
  return {
    ...plainScenario,
    seed,
    network,
    guest,
    clients: 1,
    patientDeath: true,
    faultyMs: atMs + 200,
    faults: [fault],
  };
}

function fullScenario(seed: number): Scenario {
  const random = randomOf(seed, "scenario");
  const nodes = random() < 0.75 ? ["a", "b"] : ["a", "b", "c"];
  const spares = random() < 0.5 ? [] : ["d"];
  const everyone = [...nodes, ...spares];
  const faultyMs = settledMs + 300 + 2_200 * random();
  const store = drawStore(random);
  const patientDeath = random() < 0.6;
  const kinds = enabledKinds(random, store.kind);
  const pastes = drawPastes(seed, faultyMs);
  let faults: Fault[] = [];
  const count = 1 + below(random, 10);
  for (let i = 0; i < count; i++) {
    // Some strike while the pair is being made, some soon after another one.
    const last = faults.at(-1)?.atMs ?? settledMs;
    const soon = random() < 0.35;
    const atMs = soon ? last + 60 * random() : settledMs * 0.2 + (faultyMs - 50) * random();
    const body = drawFault(random, pick(random, kinds), nodes, store.arbiters);
    faults.push({ ...body, atMs: Math.min(atMs, faultyMs) } as Fault);
  }
  faults.push(...drawRecordGone(seed, faults, faultyMs));
  faults.push(...drawLatePair(seed, nodes, faultyMs));
  faults.push(...pastes);
  const { outside, timersPerFrames, ...more } = drawOutside(seed, nodes, faults, faultyMs);
  faults.push(...more.faults);
  const { operator, faults: losses } = drawOperator(seed, faultyMs);
  faults.push(...losses);
  const goneWhileAlone = drawGoneWhileAlone(seed, faultyMs);
  const leaving = drawLeaving(seed, [...faults, ...goneWhileAlone], faultyMs);
  const { leaveWaitMs } = leaving;
  faults = [...leaving.faults];
  faults.sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    nodes,
    spares,
    // A pair that is never lost needs no operator, and neither half of it stays alone for long.
    patientDeath:
      patientDeath && operator === null && leaveWaitMs === 0 && goneWhileAlone.length === 0,
    faultyMs,
    network: drawNetwork(random),
    store,
    guest: {
      memoryBytes: random() < 0.12 ? 700 * 1024 : 16 * 1024 * (1 + below(random, 4)),
      timerUs: pick(random, [2_000, 5_000, 9_000, 20_000]),
      burstBytes: pick(random, [256, 2_048, 12 * 1024]),
      timersPerFrames,
    },
    clocks: Object.fromEntries(everyone.map((node) => [node, drawClock(random)])),
    clients: Math.max(pick(random, [1, 1, 2, 3]), ...pastes.map(({ clients }) => clients)),
    outside,
    timings: drawTimings(seed),
    leaveWaitMs,
    operator,
    faults,
  };
}

function drawNetwork(random: Random): NetworkTrouble {
  const calm = random() < 0.4;
  return {
    latencyMs: 0.1 + 4 * random() ** 3,
    jitterMs: 3 * random() ** 2,
    lossShare: calm ? 0 : 0.15 * random(),
    duplicateShare: calm ? 0 : 0.2 * random(),
    reorderShare: calm ? 0 : 0.2 * random(),
  };
}

function drawStore(random: Random): StoreShape {
  const kind = random() < 0.6 ? "file" : "lease";
  const arbiters = kind === "file" && random() < 0.4 ? 2 : 1;
  const lossShare = random() < 0.5 ? 0 : 0.3 * random();
  return { kind, arbiters, delayMs: 0.3 + 25 * random() ** 3, lossShare };
}

function drawClock(random: Random): ClockShape {
  return { offsetMs: 1_000_000 * random(), rate: random() < 0.6 ? 1 : 0.85 + 0.3 * random() };
}

const everywhere: readonly Kind[] = [
  "crash",
  "crash",
  "crash at effect",
  "crash at effect",
  "crash at effect",
  "terminate",
  "freeze",
  "freeze",
  "freeze at effect",
  "freeze at effect",
  "stall",
  "wedge",
  "slow",
  "partition",
  "partition",
  "delay",
  "cut",
  "corrupt",
  "clock jump",
  "clock rate",
  "request trouble",
  "request trouble",
  "arbiter down",
  "arbiter slow",
  "burst",
  "move fails",
];

/** Kinds that bring out the worst in each other. */
const themes: readonly (readonly Kind[])[] = [
  ["request trouble", "crash", "freeze"],
  ["request trouble", "crash at effect"],
  ["request trouble", "partition", "arbiter slow"],
  ["request trouble", "terminate"],
  ["freeze at effect", "crash at effect"],
  ["freeze", "arbiter slow", "cut"],
  ["arbiter down", "crash", "cut"],
  ["partition", "delay", "cut"],
  ["stall", "burst", "slow"],
];

/** What ends the VM for good, and the run with it. */
function drawEnds(random: Random): readonly Kind[] {
  const drawn = random();
  return drawn < 0.04 ? ["power off"] : drawn < 0.06 ? ["trap"] : [];
}

function enabledKinds(random: Random, store: StoreShape["kind"]): readonly Kind[] {
  if (random() < 0.4) return pick(random, themes);
  const own: readonly Kind[] = store === "file" ? ["arbiter crash"] : ["lease conflict"];
  const all = [...everywhere, ...own, ...drawEnds(random)];
  const share = 0.15 + 0.5 * random();
  const enabled = all.filter(() => random() < share);
  return enabled.length > 0 ? enabled : [pick(random, all)];
}

function drawFault(random: Random, kind: Kind, nodes: readonly Node[], arbiters: number): Body {
  const node = drawNode(random, nodes);
  const arbiter = below(random, arbiters);
  const forMs = drawDuration(random);
  const restartMs = random() < 0.1 ? null : 10 + 500 * random() ** 2;
  const silent = random() < 0.4;
  switch (kind) {
    case "crash":
      return { kind, node, silent, restartMs };
    case "crash at effect": {
      const when = random() < 0.5 ? "before" : "after";
      return { kind, node, nth: 1 + below(random, 60), when, silent, restartMs };
    }
    case "freeze at effect": {
      const when = random() < 0.5 ? "before" : "after";
      return { kind, node, nth: 1 + below(random, 60), when, forMs };
    }
    case "terminate":
      return { kind, node, restartMs };
    case "trap":
    case "power off":
    case "freeze":
    case "stall":
    case "wedge":
      return { kind, node, forMs };
    case "slow":
      return { kind, node, stepMs: 1 + 30 * random() ** 2, forMs };
    case "partition": {
      const [from, to] = drawWay(random, nodes);
      return { kind, from, to, oneWay: random() < 0.4, forMs };
    }
    case "delay": {
      const [from, to] = drawWay(random, nodes);
      return { kind, from, to, ms: 150 * random() ** 2, forMs };
    }
    case "cut":
      return { kind, node, share: random() < 0.3 ? 0 : random() };
    case "corrupt": {
      const [from, to] = drawWay(random, nodes);
      return { kind, from, to };
    }
    case "clock jump":
      return { kind, node, ms: 2_000 * random() ** 2 };
    case "clock rate":
      return { kind, node, rate: 0.6 + random() };
    case "arbiter down":
      return { kind, arbiter, forMs };
    case "arbiter crash":
      return { kind, arbiter, nth: 1 + below(random, 12), forMs };
    case "arbiter slow":
      return { kind, arbiter, ms: 1_500 * random() ** 2, forMs };
    case "request trouble": {
      const fate = pick(random, ["request lost", "answer lost", "late", "twice"] as const);
      return { kind, fate };
    }
    case "lease conflict":
      return { kind, times: 1 + below(random, 4) };
    case "burst":
      return { kind, times: 1 + below(random, 12) };
    case "move fails":
      return { kind, node };
  }
}

/** Rare, since little can happen to the VM after it; often while another fault is dealt with. */
function drawRecordGone(
  seed: number,
  others: readonly Fault[],
  faultyMs: number,
): readonly Fault[] {
  const random = randomOf(seed, "record gone");
  if (random() >= recordGoneShare) return [];
  const soon = random() < 0.5;
  const atMs = soon ? pick(random, others).atMs + 400 * random() : faultyMs * random();
  return [{ kind: "record gone", atMs: Math.min(atMs, faultyMs) }];
}

/**
 * The first request to pair lands when its asker has given it up; meanwhile one of the two stands
 * still, so that it is not asked again at once.
 */
function drawLatePair(seed: number, nodes: readonly Node[], faultyMs: number): readonly Fault[] {
  const random = randomOf(seed, "late pair");
  if (random() >= latePairShare) return [];
  const atMs = Math.min(80 + 100 * random(), faultyMs);
  const freezeMs = Math.min(atMs + 700 * random(), faultyMs);
  const freeze = { kind: "freeze", node: pick(random, nodes) } as const;
  return [
    { kind: "request trouble", fate: "late", atMs },
    { ...freeze, atMs: freezeMs, forMs: 1_200 + 1_000 * random() },
  ];
}

/** Rare, since thousands of entries come of it. */
function drawPastes(
  seed: number,
  faultyMs: number,
): readonly (Paste & { readonly atMs: number })[] {
  const random = randomOf(seed, "paste");
  if (random() >= pasteShare) return [];
  const pastes = [];
  for (let left = 1 + below(random, 2); left > 0; left--) {
    pastes.push({ ...drawPaste(random), atMs: faultyMs * random() });
  }
  return pastes;
}

function drawPaste(random: Random): Paste {
  return { kind: "paste", bytes: 1_000 + below(random, 12_000), clients: 2 + below(random, 3) };
}

/** Short ones that nobody may notice, and ones longer than every time-out. */
function drawDuration(random: Random): number {
  const long = random() < 0.35;
  return long ? 400 + 1_800 * random() : 300 * random();
}

/** Half of the faults look for a role: those that strike at random often miss. */
function drawNode(random: Random, nodes: readonly Node[]): Node {
  if (random() < 0.5) return pick(random, nodes);
  return random() < 0.7 ? "primary" : "backup";
}

/** Between any two of the computers. */
function drawWay(random: Random, nodes: readonly Node[]): readonly [Node, Node] {
  const roles = random() < 0.5 ? roleNodes : nodes;
  const all = [...roles, ...roles, "arbiter", "client"];
  const from = pick(random, all);
  const to = pick(
    random,
    all.filter((node) => node !== from),
  );
  return [from, to];
}
