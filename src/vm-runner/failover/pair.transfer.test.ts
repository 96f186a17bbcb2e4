import { expect, test } from "@jest/globals";
import type { SimRunner } from "../../../test/pair-runner.ts";
import { World } from "../../../test/pair-world.ts";
import type { FollowerPhase } from "./pair-types.ts";

/** A primary that lives alone, with a guest whose snapshot takes some chunks. */
async function aloneWorld(): Promise<World> {
  const world = new World();
  world.memoryBytes = 5 * 1024 * 1024;
  world.start("a");
  await world.until("a lives", () => world.primary !== null);
  return world;
}

function phaseAt(primary: SimRunner): FollowerPhase["kind"] | null {
  const { role } = primary;
  return role.kind === "primary" ? (role.follower?.phase.kind ?? null) : null;
}

async function reach(world: World, phase: FollowerPhase["kind"]): Promise<void> {
  // The last acknowledgements come at once; a slow record leaves time to see a gated candidate.
  if (phase === "gated") world.arbiter.delayMs = 50;
  if (phase === "catchingUp") world.at("b").stepMs = 70;
  await world.until(phase, () => phaseAt(world.at("a")) === phase);
}

async function goesOn(world: World): Promise<void> {
  const printed = world.observer.console.length;
  world.type("still here");
  await world.until("the guest answers", () => {
    return world.observer.text.slice(printed).includes("still here");
  });
}

test("while a snapshot is on its way the primary is alone: nothing that it prints waits", async () => {
  const world = await aloneWorld();
  world.start("b");
  await reach(world, "streaming");
  await goesOn(world);
  expect(phaseAt(world.at("a"))).toBe("streaming");
  await world.until("paired", () => world.paired);
  await goesOn(world);
});

const phases = ["snapshot", "streaming", "catchingUp", "gated"] as const;

test.each(phases)(
  "a candidate that dies in phase '%s' costs nothing; the next one pairs",
  async (phase) => {
    const world = await aloneWorld();
    world.start("b");
    await reach(world, phase);
    world.at("b").crash(true);
    await goesOn(world);
    world.start("b");
    await world.until("paired", () => world.paired);
    await goesOn(world);
  },
);

test.each(phases)(
  "a connection that breaks in phase '%s' delays the pair and no more",
  async (phase) => {
    const world = await aloneWorld();
    world.start("b");
    await reach(world, phase);
    world.at("b").cutWires();
    world.at("b").stepMs = 0.2;
    await world.until("paired", () => world.paired);
    expect(world.runners).toHaveLength(2);
    await goesOn(world);
  },
);

test.each(phases)("when the primary dies in phase '%s', nobody makes a life up", async (phase) => {
  const world = await aloneWorld();
  world.arbiter.fate = (kind) => (kind === "pair" ? "request lost" : "served");
  world.start("b");
  await reach(world, phase);
  world.at("a").crash();
  await world.run(5_000);
  expect(world.at("b").live).toBe(false);
  expect(world.record).toMatchObject({ primary: "a1" });
  // One that has executed something cannot begin again: its log ends where the primary died.
  const ended = phase === "snapshot" || phase === "streaming" ? undefined : "superseded";
  expect(world.at("b").exit?.reason).toBe(ended);
});

test("a candidate whose primary died while 'pair' was on its way waits for it, and takes over", async () => {
  const world = await aloneWorld();
  world.arbiter.lateMs = 900;
  world.arbiter.fate = (kind) => (kind === "pair" ? "late" : "served");
  world.start("b");
  await world.until("asked", () => world.arbiter.asked.at(-1)?.kind === "pair");
  world.at("a").crash();
  world.arbiter.fate = () => "served";
  await world.until("b lives", () => world.primary === world.at("b"));
  expect(world.arbiter.granted).toEqual(["start", "pair", "takeover"]);
  await goesOn(world);
});

test("a candidate waits as long as the primary needs to make its snapshot ready", async () => {
  const world = await aloneWorld();
  world.at("a").wedged = true;
  world.start("b");
  await reach(world, "snapshot");
  await world.run(3_000);
  expect(phaseAt(world.at("a"))).toBe("snapshot");
  expect(world.at("a").reports.filter(({ kind }) => kind === "transferStarted")).toHaveLength(1);
  world.at("a").unwedge();
  await world.until("paired", () => world.paired);
});
