import { expect, test } from "@jest/globals";
import type { Fate } from "../../../test/pair-network.ts";
import type { SimRunner } from "../../../test/pair-runner.ts";
import { pairedWorld, World } from "../../../test/pair-world.ts";
import type { RunnerRequest } from "./record-view.ts";

/** The guest's console goes on, at the right byte: the observer sees to that. */
async function goesOn(world: World): Promise<void> {
  const printed = world.observer.console.length;
  world.type("still here");
  await world.until("the guest answers", () => {
    return world.observer.text.slice(printed).includes("still here");
  });
}

/** The first request of this kind meets this fate. */
function spoilFirst(world: World, kind: RunnerRequest["kind"], fate: Fate): void {
  let spoiled = false;
  world.arbiter.fate = (asked) => {
    if (spoiled || asked !== kind) return "served";
    spoiled = true;
    return fate;
  };
}

test("of two runners that race for the first start one lives and the other is its backup", async () => {
  const world = new World();
  world.start("a");
  world.start("b");
  await world.until("paired", () => world.paired);
  expect(world.arbiter.granted).toEqual(["start", "pair"]);
  await goesOn(world);
});

test.each([
  ["dies", (a: SimRunner) => a.crash()],
  ["vanishes with its computer", (a: SimRunner) => a.crash(true)],
])("when the primary %s, the backup goes live and the console goes on", async (_, fault) => {
  const world = await pairedWorld();
  world.type("hello");
  await world.run(3);
  fault(world.at("a"));
  const sinceMs = world.nowMs;
  await world.until("b lives", () => world.primary === world.at("b"));
  expect(world.nowMs - sinceMs).toBeLessThan(800);
  expect(world.record).toMatchObject({ epoch: 3, primary: "b1", backup: null, takeovers: 1 });
  await goesOn(world);
  world.start("a");
  await world.until("paired again", () => world.paired);
});

test("when the backup dies, the primary emits nothing until it is granted to be alone", async () => {
  const world = await pairedWorld();
  world.at("b").crash();
  world.arbiter.delayMs = 300;
  await world.run(10);
  const seen = world.observer.seen.length;
  await world.until("alone is asked", () => world.arbiter.asked.at(-1)?.kind === "alone");
  await world.run(290);
  expect(world.observer.seen.length).toBe(seen);
  await world.until("alone", () => world.record.backup === null);
  await goesOn(world);
});

test("a frozen primary that thaws after its backup took over is superseded and ends", async () => {
  const world = await pairedWorld();
  world.at("a").freeze();
  await world.until("b lives", () => world.primary === world.at("b"));
  await goesOn(world);
  world.at("a").thaw();
  await world.until("a ends", () => world.at("a").exit !== null);
  expect(world.at("a").exit?.reason).toBe("superseded");
  expect(world.observer.lives.map(({ nonce }) => nonce)).toEqual(["a1", "b1"]);
  await goesOn(world);
});

test("a guest that hangs behind living heartbeats loses its role: its log is silent", async () => {
  const world = await pairedWorld();
  world.at("a").wedged = true;
  await world.until("b lives", () => world.primary === world.at("b"));
  expect(world.at("b").reports).toContainEqual(
    expect.objectContaining({ kind: "live", reason: expect.stringContaining("log silent") }),
  );
  await goesOn(world);
});

test("a backup that acknowledges but executes nothing is given up", async () => {
  const world = await pairedWorld();
  world.at("b").wedged = true;
  await world.until("alone", () => world.record.backup === null);
  expect(world.at("a").reports).toContainEqual(
    expect.objectContaining({ kind: "followerLost", reason: expect.stringContaining("executed") }),
  );
  await goesOn(world);
});

test.each([
  ["a1", "b", "takeover"],
  ["b1", "a", "alone"],
] as const)(
  "after a false alarm exactly one lives: %s when its request comes first",
  async (winner, slow, spoiled) => {
    const world = await pairedWorld();
    const loser = world.at(slow);
    spoilFirst(world, spoiled, "late");
    world.partition("a", "b");
    await world.until("the loser ends", () => loser.exit !== null);
    expect(loser.exit?.reason).toBe("superseded");
    expect(world.record).toMatchObject({ epoch: 3, primary: winner, backup: null });
    await goesOn(world);
  },
);

test.each<[RunnerRequest["kind"], Fate]>([
  ["start", "answer lost"],
  ["start", "late"],
  ["pair", "request lost"],
  ["pair", "answer lost"],
  ["pair", "late"],
])("a first %s whose fate is '%s' costs time and nothing else", async (kind, fate) => {
  const world = new World();
  spoilFirst(world, kind, fate);
  world.start("a");
  world.start("b");
  await world.until("paired", () => world.paired);
  expect(world.arbiter.granted).toEqual(["start", "pair"]);
  await goesOn(world);
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
    const world = await pairedWorld();
    spoilFirst(world, kind, fate);
    world.at(victim).crash();
    await world.until("alone", () => world.record.epoch === 3 && world.primary !== null);
    await goesOn(world);
    await world.run(1_000);
    expect(world.record.epoch).toBe(3);
  },
);

test("a pair that was asked for a candidate which then died is settled by 'alone' before anything is seen", async () => {
  const world = new World();
  world.start("a");
  await world.until("a lives", () => world.primary !== null);
  spoilFirst(world, "pair", "late");
  world.start("b");
  await world.until("asked", () => world.arbiter.asked.at(-1)?.kind === "pair");
  world.at("b").crash();
  await world.run(5);
  const seen = world.observer.seen.length;
  await world.until("alone", () => world.arbiter.granted.includes("alone"));
  expect(world.observer.seen.length).toBe(seen);
  await goesOn(world);
});

test("while the record cannot be reached the backup keeps acknowledging and waits; then it goes live", async () => {
  const world = await pairedWorld();
  world.arbiter.up = false;
  world.at("a").crash(true);
  await world.run(3_000);
  expect(world.at("b").role.kind).toBe("follower");
  world.arbiter.up = true;
  await world.until("b lives", () => world.primary === world.at("b"));
  await goesOn(world);
});

test("while the record cannot be reached a lonely primary holds its outputs; then all of them come", async () => {
  const world = await pairedWorld();
  world.arbiter.up = false;
  world.at("b").crash();
  await world.run(20);
  const seen = world.observer.seen.length;
  await world.run(3_000);
  expect(world.observer.seen.length).toBe(seen);
  world.arbiter.up = true;
  await world.until("alone", () => world.record.backup === null);
  await goesOn(world);
});

test("a connection that breaks is made again, and the log goes on where it was", async () => {
  const world = await pairedWorld();
  for (let i = 0; i < 5; i++) {
    world.at("b").cutWires();
    world.type("x");
    await world.run(400);
    expect(world.paired).toBe(true);
  }
  expect(world.record.epoch).toBe(2);
  await goesOn(world);
});

test.each([
  ["a", "b"],
  ["b", "a"],
] as const)(
  "%s breaks the protocol: %s reports it and the connection is made again",
  async (bad, good) => {
    const world = await pairedWorld();
    world.at(bad).say({ kind: "snapshotEnd", id: 9, hash: new Uint8Array(32) });
    await world.run(100);
    expect(world.at(good).reports).toContainEqual(expect.objectContaining({ kind: "badMessage" }));
    await world.run(1_000);
    expect(world.record.epoch).toBe(2);
    expect(world.paired).toBe(true);
    await goesOn(world);
  },
);

test("an acknowledgement of what was never sent costs the follower its place", async () => {
  const world = await pairedWorld();
  world.at("b").say({ kind: "ack", received: 1e9, executed: 0, executedUs: 0 });
  await world.until("settled", () => world.record.epoch === 3);
  await goesOn(world);
});

test("when the whole computer stood still nobody blames the other half for the silence", async () => {
  const world = await pairedWorld();
  for (const node of ["a", "b"]) world.at(node).freeze();
  await world.run(5_000);
  for (const node of ["a", "b"]) world.at(node).thaw(node === "a");
  await world.run(2_000);
  expect(world.record.epoch).toBe(2);
  await goesOn(world);
});

test("a slow backup slows the primary, which gets its speed back afterwards", async () => {
  const world = await pairedWorld();
  const cpuLimit = () => {
    const { role } = world.at("a");
    return role.kind === "primary" ? role.cpuLimit : Number.NaN;
  };
  world.at("b").stepMs = 25;
  await world.until("slowed", () => cpuLimit() < 0.7);
  world.at("b").stepMs = 0.2;
  await world.until("full speed", () => cpuLimit() === 1);
  expect(world.record.epoch).toBe(2);
});

test("the user switches the VM off: both halves stop, and nobody takes over", async () => {
  const world = await pairedWorld();
  await world.run(300);
  world.at("a").input({ kind: "powerOff" });
  await world.until("both end", () => world.runners.every(({ exit }) => exit !== null));
  expect(world.runners.map(({ exit }) => exit?.reason)).toEqual(["stopped", "stopped"]);
  expect(world.record).toMatchObject({ primary: null, backup: null, takeovers: 0 });
});

test("a backup whose primary died while the guest went off does not bring the guest back", async () => {
  const world = await pairedWorld();
  world.arbiter.fate = (kind) => (kind === "stop" ? "request lost" : "served");
  world.type("P");
  await world.until("asked", () => world.arbiter.asked.at(-1)?.kind === "stop");
  world.at("a").crash();
  world.arbiter.fate = () => "served";
  await world.until("stopped", () => world.record.primary === null);
  expect(world.arbiter.granted.slice(-2)).toEqual(["takeover", "stop"]);
  expect(world.at("b").live).toBe(false);
});

test("a guest that traps stops both halves, and there is no loop of take-overs", async () => {
  const world = await pairedWorld();
  world.type("T");
  await world.until("both end", () => world.runners.every(({ exit }) => exit !== null));
  expect(world.runners.map(({ exit }) => exit?.reason)).toEqual(["trapped", "trapped"]);
});

test("a candidate of another version is told so and ends", async () => {
  const world = new World();
  world.start("a");
  world.setVersion("b", "2");
  await world.until("a lives", () => world.primary !== null);
  world.start("b");
  await world.until("b ends", () => world.at("b").exit !== null);
  expect(world.at("b").exit).toEqual({
    reason: "refused",
    message: "version differs: the primary has 1, the candidate has 2",
  });
  await goesOn(world);
});
