import { expect, test } from "@jest/globals";
import type { Fate } from "../../../test/pair-network.ts";
import { pairedWorld, type World } from "../../../test/pair-world.ts";

async function goesOn(world: World): Promise<void> {
  const printed = world.observer.console.length;
  world.type("still here");
  await world.until("the guest answers", () => {
    return world.observer.text.slice(printed).includes("still here");
  });
}

function leavingOf(world: World): string | null {
  const { role } = world.at("a");
  return role.kind === "primary" ? (role.leaving?.kind ?? null) : null;
}

async function handsOver(world: World): Promise<void> {
  await world.until("b lives", () => world.primary === world.at("b"));
  await world.until("a ends", () => world.at("a").exit !== null);
  expect(world.at("a").exit?.reason).toBe("stopped");
  expect(world.record).toMatchObject({ primary: "b1", backup: null, takeovers: 0 });
  expect(world.arbiter.granted).toEqual(["start", "pair", "handover", "alone"]);
  await goesOn(world);
}

test("a primary that is told to leave hands over without a pause that anybody notices", async () => {
  const world = await pairedWorld();
  world.at("a").input({ kind: "terminate" });
  const sinceMs = world.nowMs;
  await world.until("b lives", () => world.primary === world.at("b"));
  expect(world.nowMs - sinceMs).toBeLessThan(100);
  await handsOver(world);
});

test.each<Fate>(["request lost", "answer lost", "late"])(
  "a hand-over whose first request's fate is '%s' still happens",
  async (fate) => {
    const world = await pairedWorld();
    let spoiled = false;
    world.arbiter.fate = (kind) => {
      if (spoiled || kind !== "handover") return "served";
      spoiled = true;
      return fate;
    };
    world.at("a").input({ kind: "terminate" });
    await handsOver(world);
  },
);

test("the new primary learns of its role although its first look at the record failed", async () => {
  const world = await pairedWorld();
  world.at("a").input({ kind: "terminate" });
  let failed = false;
  world.arbiter.fate = (kind, runner) => {
    if (failed || kind !== "read" || runner !== world.at("b")) return "served";
    failed = true;
    return "request lost";
  };
  await world.until("b lives", () => world.primary === world.at("b"), 300);
  await handsOver(world);
});

test("news of the record that come while it is being read are not forgotten", async () => {
  const world = await pairedWorld();
  let slow = true;
  world.arbiter.timeoutMs = 400;
  world.arbiter.fate = (kind) => (kind === "read" && slow ? "request lost" : "served");
  const record = world.record;
  world.at("a").say({ kind: "recordChanged", record });
  await world.run(100);
  slow = false;
  world.at("a").input({ kind: "terminate" });
  await world.until("b lives", () => world.primary === world.at("b"), 450);
  await handsOver(world);
});

const moments: readonly [string, (world: World) => boolean][] = [
  ["the recorder is stopping", (world) => leavingOf(world) === "pausing"],
  ["the backup executes the rest", (world) => leavingOf(world) === "draining"],
  ["it is asked", ({ arbiter }) => arbiter.asked.at(-1)?.kind === "handover"],
  ["it is granted and nobody knows", ({ arbiter }) => arbiter.granted.at(-1) === "handover"],
  ["the old primary knows", (world) => world.at("a").role.kind === "follower"],
  ["the new primary knows", (world) => world.at("b").role.kind === "primary"],
  ["'alone' is granted", ({ arbiter }) => arbiter.granted.at(-1) === "alone"],
];

test.each(moments)("the old primary dies when %s: the guest lives on", async (moment, isSo) => {
  const world = await pairedWorld();
  world.at("a").input({ kind: "terminate" });
  await world.until(moment, () => isSo(world));
  world.at("a").crash();
  await world.until("b lives", () => world.primary === world.at("b"));
  await goesOn(world);
  expect(world.record.backup).toBeNull();
});

test.each(moments)(
  "the new primary dies when %s: the old one switches the guest off in order",
  async (moment, isSo) => {
    const world = await pairedWorld();
    world.arbiter.delayMs = 5;
    world.at("a").input({ kind: "terminate" });
    await world.until(moment, () => isSo(world));
    world.at("b").crash();
    await world.run(3_000);
    // Then 'alone' was on its way, and names the dead one: the operator's restart is for that.
    const settled = moment === "the new primary knows" || moment === "'alone' is granted";
    expect(world.record.primary).toBe(settled ? "b1" : null);
    expect(world.at("a").exit?.reason).toBe("stopped");
  },
);

test("told to leave with nobody to hand over to, the primary switches the guest off", async () => {
  const world = await pairedWorld();
  world.at("b").crash();
  world.at("a").input({ kind: "terminate" });
  await world.until("a ends", () => world.at("a").exit !== null);
  expect(world.record).toMatchObject({ primary: null, backup: null });
});

test("told to leave while a candidate joins, the primary waits for it and hands over", async () => {
  const world = await pairedWorld();
  world.at("b").crash();
  await world.until("alone", () => world.record.backup === null);
  const next = world.start("b");
  await world.until("transfer", () => {
    return world.at("a").reports.filter(({ kind }) => kind === "transferStarted").length === 2;
  });
  world.at("a").input({ kind: "terminate" });
  await world.until("b lives", () => world.primary === next);
  await goesOn(world);
});

test("a backup that is told to leave says so, and the primary is alone at once", async () => {
  const world = await pairedWorld();
  world.at("b").input({ kind: "terminate" });
  await world.run(50);
  expect(world.record).toMatchObject({ primary: "a1", backup: null });
  expect(world.at("b").exit?.reason).toBe("stopped");
  await goesOn(world);
});
