import { expect, test } from "@jest/globals";
import { plainScenario } from "../../../test/simulation/scenario.ts";
import { aloneStory, type Story } from "../../../test/simulation/story.ts";
import type { SimulatedRunner } from "../../../test/simulation/world/runner.ts";
import { turnMs } from "../../../test/simulation/world/vm-thread.ts";
import type { FollowerPhase } from "./pair-types.ts";

/** A primary that lives alone, with a guest whose snapshot takes some chunks. */
function alone(): Promise<Story> {
  return aloneStory({ guest: { ...plainScenario.guest, memoryBytes: 5 * 1024 * 1024 } });
}

function phaseAt(primary: SimulatedRunner): FollowerPhase["kind"] | null {
  const { role } = primary;
  return role.kind === "primary" ? (role.follower?.phase.kind ?? null) : null;
}

async function reach(story: Story, phase: FollowerPhase["kind"]): Promise<void> {
  const { world } = story;
  // The last acknowledgements come at once; a slow record leaves time to see a gated candidate.
  if (phase === "gated") world.arbiters.slow(0, 50, 10_000);
  if (phase === "catchingUp") world.at("b").thread.stepMs = 70;
  await story.until(phase, () => phaseAt(world.at("a")) === phase);
}

test("while a snapshot is on its way the primary is alone: nothing that it prints waits", async () => {
  const story = await alone();
  const { world } = story;
  world.start("b");
  await reach(story, "streaming");
  await story.goesOn();
  expect(phaseAt(world.at("a"))).toBe("streaming");
  await story.untilPaired();
  await story.goesOn();
});

const phases = ["snapshot", "streaming", "catchingUp", "gated"] as const;

test.each(phases)(
  "a candidate that dies in phase '%s' costs nothing; the next one pairs",
  async (phase) => {
    const story = await alone();
    const { world } = story;
    world.start("b");
    await reach(story, phase);
    story.crash("b", true);
    await story.goesOn();
    world.start("b");
    await story.untilPaired();
    await story.goesOn();
  },
);

test.each(phases)(
  "a connection that breaks in phase '%s' delays the pair and no more",
  async (phase) => {
    const story = await alone();
    const { world } = story;
    world.start("b");
    await reach(story, phase);
    world.network.cut("b", 0);
    world.at("b").thread.stepMs = turnMs;
    await story.untilPaired();
    expect(world.runners).toHaveLength(2);
    await story.goesOn();
  },
);

test.each(phases)("when the primary dies in phase '%s', nobody makes a life up", async (phase) => {
  const story = await alone();
  const { world } = story;
  story.fate = ({ kind }) => (kind === "pair" ? "request lost" : "served");
  world.start("b");
  await reach(story, phase);
  story.crash("a");
  await story.run(5_000);
  expect(world.at("b").live).toBe(false);
  expect(world.record).toMatchObject({ primary: "a1" });
  // One that has executed something cannot begin again: its log ends where the primary died.
  const ended = phase === "snapshot" || phase === "streaming" ? undefined : "superseded";
  expect(world.at("b").exit?.reason).toBe(ended);
});

test("a candidate whose primary died while 'pair' was on its way waits for it, and takes over", async () => {
  const story = await alone();
  const { world } = story;
  story.fate = ({ kind }) => (kind === "pair" ? "late" : "served");
  world.start("b");
  await story.until("asked", () => story.asked.at(-1)?.kind === "pair");
  story.crash("a");
  story.fate = () => "served";
  await story.untilAlive("b");
  expect(story.granted).toEqual(["start", "pair", "takeover"]);
  await story.goesOn();
});

test("a candidate waits as long as the primary needs to make its snapshot ready", async () => {
  const story = await alone();
  const { world } = story;
  world.at("a").thread.stand();
  world.start("b");
  await reach(story, "snapshot");
  await story.run(3_000);
  expect(phaseAt(world.at("a"))).toBe("snapshot");
  expect(world.at("a").reports.filter(({ kind }) => kind === "transferStarted")).toHaveLength(1);
  world.at("a").thread.goOn();
  await story.untilPaired();
});
