/** A run of the simulated pair under random faults, and what must be so after them. */
import { assert } from "../src/shared/assert.ts";
import type { Fate } from "./pair-network.ts";
import type { SimRunner } from "./pair-runner.ts";
import { World } from "./pair-world.ts";

const nodes = ["a", "b", "c"];
const faultyMs = 2_500;
const calmMs = 12_000;

export type Ending = "goes on" | "switched off" | "lost";

/** The same seed gives the same run; `deadly`: processes die and are told to leave, too. */
export async function runWithFaults(seed: number, deadly: boolean): Promise<Ending> {
  const world = new World(seed);
  try {
    return await faultyLife(world, deadly);
  } catch (error) {
    throw new Error(`seed ${seed}${deadly ? ", deadly" : ""}\n${world.describe()}`, {
      cause: error,
    });
  }
}

/** Deaths one at a time, each while the pair is complete: none of them may cost the VM. */
export async function runWithDeaths(seed: number): Promise<void> {
  const world = new World(seed);
  const { random } = world;
  world.latencyMs = 0.2 + 3 * random() ** 3;
  world.arbiter.delayMs = 0.5 + 30 * random() ** 3;
  world.arbiter.fate = () => (random() < 0.8 ? "served" : pick(world, badFates));
  try {
    for (const node of ["a", "b"]) world.start(node);
    for (let deaths = 0; deaths < 4; deaths++) {
      await world.until("paired", () => world.paired, calmMs);
      await world.run(100 * random());
      if (random() < 0.5) world.type("x");
      await world.run(3 * random());
      if (!world.paired) continue;
      const victim = pick(world, ["a", "b"]);
      world.at(victim).crash(random() < 0.5);
      await world.run(500 * random());
      world.start(victim);
    }
    await world.until("paired in the end", () => world.paired, calmMs);
    ended(world, false, "goes on");
  } catch (error) {
    throw new Error(`seed ${seed}\n${world.describe()}`, { cause: error });
  }
}

async function faultyLife(world: World, deadly: boolean): Promise<Ending> {
  const { random } = world;
  world.latencyMs = 0.2 + 3 * random() ** 3;
  world.arbiter.delayMs = 0.5 + 30 * random() ** 3;
  world.arbiter.fate = () => (random() < 0.8 ? "served" : pick(world, badFates));
  const present = nodes.slice(0, random() < 0.7 ? 2 : 3);
  for (const node of present) world.after(random() * 100, () => world.start(node));
  await world.run(200 + 300 * random());
  const faults = deadly ? [...harmless, ...fatal] : harmless;
  for (const endMs = world.nowMs + faultyMs; world.nowMs < endMs; ) {
    if (random() < 0.5) world.type(String.fromCharCode(97 + Math.floor(26 * random())));
    const runner = pick(world, world.runners);
    if (runner.alive || deadly) pick(world, faults)(world, runner);
    await world.run(400 * random() ** 2);
    if (random() < 0.5) calm(world, false);
    if (random() < 0.7) revive(world, present);
  }
  return await calmDown(world, present, deadly);
}

async function calmDown(world: World, present: string[], deadly: boolean): Promise<Ending> {
  calm(world, true);
  const printed = world.observer.console.length;
  const endMs = world.nowMs + calmMs;
  while (!world.paired || !world.observer.text.slice(printed).includes("end")) {
    assert(world.nowMs < endMs, "no pair that echoes after the faults have ended");
    revive(world, present);
    world.type("end");
    await world.run(200);
    if (isSwitchedOff(world)) return ended(world, deadly, "switched off");
    if (isLost(world)) return ended(world, deadly, "lost");
  }
  return ended(world, deadly, "goes on");
}

function ended(world: World, deadly: boolean, ending: Ending): Ending {
  assert(deadly || ending === "goes on", `nobody died, and the VM is ${ending}`);
  for (const { nonce, exit } of world.runners) {
    const broken = exit !== null && !["stopped", "superseded"].includes(exit.reason);
    assert(!broken, `${nonce} ended: ${exit?.reason} ${exit?.message}`);
  }
  return ending;
}

function isSwitchedOff({ record }: World): boolean {
  return record.epoch > 0 && record.primary === null;
}

/** Both named processes are gone: what the operator's `restart` is for. */
function isLost(world: World): boolean {
  const { epoch, primary, backup } = world.record;
  const gone = (nonce: string | null) => nonce === null || !world.runner(nonce).alive;
  return epoch > 0 && gone(primary) && gone(backup);
}

type Fault = (world: World, runner: SimRunner) => void;

const badFates: Fate[] = ["request lost", "answer lost", "late"];

const harmless: Fault[] = [
  (_, runner) => runner.cutWires(),
  (_, runner) => runner.freeze(),
  (_, runner) => {
    runner.wedged = true;
  },
  (_, runner) => {
    runner.stepMs = 5;
  },
  (world) => world.partition(pick(world, nodes), pick(world, nodes)),
  ({ arbiter }) => {
    arbiter.up = false;
  },
  (world, runner) => {
    runner.freeze();
    world.after(1_000 * world.random(), () => runner.thaw(world.random() < 0.5));
  },
];

const fatal: Fault[] = [
  (world, runner) => runner.crash(world.random() < 0.5),
  (_, runner) => runner.input({ kind: "terminate" }),
];

/** Ends the faults that have no end of their own. */
function calm(world: World, forGood: boolean): void {
  world.heal();
  world.arbiter.up = true;
  for (const runner of world.runners.filter(({ alive }) => alive)) {
    if (runner.frozen) runner.thaw(world.random() < 0.5);
    if (runner.wedged) runner.unwedge();
    runner.stepMs = 0.2;
  }
  if (forGood) world.arbiter.fate = () => "served";
}

/** A process that ended is started anew, as the kubelet does. */
function revive(world: World, present: readonly string[]): void {
  for (const node of present) {
    if (world.runners.some((other) => other.node === node && other.alive)) continue;
    if (world.runners.some((other) => other.node === node)) world.start(node);
  }
}

function pick<T>(world: World, choices: readonly T[]): T {
  const chosen = choices[Math.floor(world.random() * choices.length)];
  assert(chosen !== undefined, "there is something to choose from");
  return chosen;
}
