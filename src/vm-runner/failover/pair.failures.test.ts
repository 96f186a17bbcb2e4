import { expect, test } from "@jest/globals";
import { ProgressChecker } from "../../../test/simulation/checkers/progress.ts";
import type { Fate } from "../../../test/simulation/record/record-call.ts";
import { pairedStory, Story } from "../../../test/simulation/story.ts";
import { turnMs } from "../../../test/simulation/world/vm-thread.ts";
import type { RunnerRequest } from "./record-view.ts";

test("of two runners that race for the first start one lives and the other is its backup", async () => {
  const story = new Story();
  const { world } = story;
  world.start("a");
  world.start("b");
  await story.untilPaired();
  expect(story.granted).toEqual(["start", "pair"]);
  await story.goesOn();
});

test.each([
  ["dies", false],
  ["vanishes with its computer", true],
])("when the primary %s, the backup goes live and the console goes on", async (_, silent) => {
  const story = await pairedStory();
  const { world } = story;
  story.client.type("hello");
  await story.run(3);
  story.crash("a", silent);
  const sinceMs = world.nowMs;
  await story.untilAlive("b");
  expect(world.nowMs - sinceMs).toBeLessThan(800);
  expect(world.record).toMatchObject({ epoch: 3, primary: "b1", backup: null, takeovers: 1 });
  await story.goesOn();
  world.start("a");
  await story.until("paired again", () => world.paired);
});

test("when the backup dies, the primary emits nothing until it is granted to be alone", async () => {
  const story = await pairedStory();
  const { world } = story;
  story.crash("b");
  world.arbiters.slow(0, 300, 1_000);
  await story.run(10);
  const before = story.released;
  await story.until("alone is asked", () => story.asked.at(-1)?.kind === "alone");
  await story.until("alone", () => world.record.backup === null);
  expect(story.released).toBe(before);
  await story.goesOn();
});

test("a frozen primary that thaws after its backup took over is superseded and ends", async () => {
  const story = await pairedStory();
  const { world } = story;
  world.at("a").freeze();
  await story.untilAlive("b");
  await story.goesOn();
  world.at("a").thaw();
  await story.untilEnded("a");
  expect(world.at("a").exit?.reason).toBe("superseded");
  expect(story.lives).toEqual(["a1", "b1"]);
  await story.goesOn();
});

test("a guest that hangs behind living heartbeats loses its role: its log is silent", async () => {
  const story = await pairedStory();
  const { world } = story;
  world.at("a").thread.stand();
  await story.untilAlive("b");
  expect(world.at("b").reports).toContainEqual(
    expect.objectContaining({ kind: "live", reason: expect.stringContaining("log silent") }),
  );
  await story.goesOn();
});

test("a backup that acknowledges but executes nothing is given up", async () => {
  const story = await pairedStory();
  const { world } = story;
  world.at("b").thread.stand();
  await story.until("alone", () => world.record.backup === null);
  expect(world.at("a").reports).toContainEqual(
    expect.objectContaining({ kind: "followerLost", reason: expect.stringContaining("executed") }),
  );
  await story.goesOn();
});

test.each([
  ["a1", "b", "takeover"],
  ["b1", "a", "alone"],
] as const)(
  "after a false alarm exactly one lives: %s when its request comes first",
  async (winner, slow, spoiled) => {
    const story = await pairedStory();
    const { world } = story;
    const loser = world.at(slow);
    story.spoilFirst(spoiled, "late");
    story.partition("a", "b");
    await story.until("the loser ends", () => loser.exit !== null);
    expect(loser.exit?.reason).toBe("superseded");
    expect(world.record).toMatchObject({ epoch: 3, primary: winner, backup: null });
    await story.goesOn();
  },
);

test.each<[RunnerRequest["kind"], Fate]>([
  ["start", "answer lost"],
  ["start", "late"],
  ["pair", "request lost"],
  ["pair", "answer lost"],
  ["pair", "late"],
])("a first %s whose fate is '%s' costs time and nothing else", async (kind, fate) => {
  const story = new Story();
  const { world } = story;
  story.spoilFirst(kind, fate);
  world.start("a");
  world.start("b");
  await story.untilPaired();
  expect(story.granted).toEqual(["start", "pair"]);
  await story.goesOn();
});

test.each<[RunnerRequest["kind"], string, Fate]>([
  ["takeover", "a", "request lost"],
  ["takeover", "a", "answer lost"],
  ["takeover", "a", "late"],
  ["alone", "b", "request lost"],
  ["alone", "b", "answer lost"],
  ["alone", "b", "late"],
])(
  "a first %s (%s died) whose fate is '%s' is asked again until it is settled",
  async (kind, victim, fate) => {
    const story = await pairedStory();
    const { world } = story;
    story.spoilFirst(kind, fate);
    world.at(victim).crash();
    await story.until("alone", () => world.record.epoch === 3 && world.primary !== null);
    await story.goesOn();
    await story.run(1_000);
    expect(world.record.epoch).toBe(3);
  },
);

test("a pair that was asked for a candidate which then died is settled by 'alone' before anything is seen", async () => {
  const story = new Story();
  const { world } = story;
  world.start("a");
  await story.untilAlive("a");
  story.spoilFirst("pair", "late");
  world.start("b");
  await story.until("asked", () => story.asked.at(-1)?.kind === "pair");
  story.crash("b");
  await story.run(5);
  const before = story.released;
  await story.until("alone", () => story.granted.includes("alone"));
  expect(story.released).toBe(before);
  await story.goesOn();
});

test("while the record cannot be reached the backup keeps acknowledging and waits; then it goes live", async () => {
  const story = await pairedStory();
  const { world } = story;
  world.arbiters.down(0, 3_000);
  story.crash("a", true);
  await story.run(3_000);
  expect(world.at("b").role.kind).toBe("follower");
  await story.untilAlive("b");
  await story.goesOn();
});

test("while the record cannot be reached a lonely primary holds its outputs; then all of them come", async () => {
  const story = await pairedStory();
  const { world } = story;
  world.arbiters.down(0, 3_020);
  story.crash("b");
  await story.run(20);
  const before = story.released;
  await story.run(3_000);
  expect(story.released).toBe(before);
  await story.until("alone", () => world.record.backup === null);
  await story.goesOn();
});

test("a connection that breaks is made again, and the log goes on where it was", async () => {
  const story = await pairedStory();
  const { world } = story;
  for (let i = 0; i < 5; i++) {
    world.network.cut("b", 0);
    story.client.type("x");
    await story.run(400);
    expect(world.paired).toBe(true);
  }
  expect(world.record.epoch).toBe(2);
  await story.goesOn();
});

test.each([
  ["a", "b"],
  ["b", "a"],
] as const)(
  "%s breaks the protocol: %s reports it and the connection is made again",
  async (bad, good) => {
    const story = await pairedStory();
    const { world } = story;
    story.say(bad, { kind: "snapshotEnd", id: 9, hash: new Uint8Array(32) });
    await story.run(100);
    expect(world.at(good).reports).toContainEqual(expect.objectContaining({ kind: "badMessage" }));
    await story.run(1_000);
    expect(world.record.epoch).toBe(2);
    expect(world.paired).toBe(true);
    await story.goesOn();
  },
);

test("an acknowledgement of what was never sent costs the follower its place", async () => {
  const story = await pairedStory();
  const { world } = story;
  story.say("b", { kind: "ack", received: 1e9, executed: 0, executedUs: 0 });
  await story.until("settled", () => world.record.epoch === 3);
  await story.goesOn();
});

test("when the whole computer stood still nobody blames the other half for the silence", async () => {
  const story = await pairedStory();
  const { world } = story;
  for (const node of ["a", "b"]) world.at(node).freeze();
  await story.run(5_000);
  for (const node of ["a", "b"]) world.at(node).thaw();
  await story.run(2_000);
  expect(world.record.epoch).toBe(2);
  await story.goesOn();
});

test("a slow backup slows the primary, which gets its speed back afterwards", async () => {
  const story = await pairedStory();
  const { world } = story;
  const cpuLimit = () => {
    const { role } = world.at("a");
    return role.kind === "primary" ? role.cpuLimit : Number.NaN;
  };
  world.at("b").thread.stepMs = 25;
  await story.until("slowed", () => cpuLimit() < 0.7);
  world.at("b").thread.stepMs = turnMs;
  await story.until("full speed", () => cpuLimit() === 1);
  expect(world.record.epoch).toBe(2);
});

test("the user switches the VM off: both halves stop, and nobody takes over", async () => {
  const story = await pairedStory();
  const { world } = story;
  await story.run(300);
  story.powerOff();
  await story.until("both end", () => world.runners.every(({ exit }) => exit !== null));
  expect(world.runners.map(({ exit }) => exit?.reason)).toEqual(["stopped", "stopped"]);
  expect(world.record).toMatchObject({ primary: null, backup: null, takeovers: 0 });
});

test("a backup whose primary died while the guest went off does not bring the guest back", async () => {
  const story = await pairedStory();
  const { world } = story;
  story.fate = ({ kind }) => (kind === "stop" ? "request lost" : "served");
  story.client.type("P");
  await story.until("asked", () => story.asked.at(-1)?.kind === "stop");
  story.crash("a");
  story.fate = () => "served";
  await story.until("stopped", () => world.record.primary === null);
  expect(story.granted.slice(-2)).toEqual(["takeover", "stop"]);
  expect(world.at("b").live).toBe(false);
});

test("a guest that traps stops both halves, and there is no loop of take-overs", async () => {
  const story = await pairedStory();
  const { world } = story;
  story.client.type("T");
  await story.until("both end", () => world.runners.every(({ exit }) => exit !== null));
  expect(world.runners.map(({ exit }) => exit?.reason)).toEqual(["trapped", "trapped"]);
});

test("a candidate of another version is told so and ends", async () => {
  // No seeded run has two versions, so the checker of progress holds every refusal for wrong.
  const story = new Story({}, (checker) => !(checker instanceof ProgressChecker));
  const { world } = story;
  world.start("a");
  world.setVersion("b", "2");
  await story.untilAlive("a");
  world.start("b");
  await story.untilEnded("b");
  expect(world.at("b").exit).toEqual({
    reason: "refused",
    message: "version differs: the primary has 1, the candidate has 2",
  });
  await story.goesOn();
});
