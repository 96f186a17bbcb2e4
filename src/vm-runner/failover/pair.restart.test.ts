/** Both halves are gone, and the operator lets the VM begin to live anew: stories by hand. */
import { expect, test } from "@jest/globals";
import { pairedStory, type Story } from "../../../test/simulation/story.ts";

/** Both die while they are a pair; nobody else is there. */
async function lost(different: Parameters<typeof pairedStory>[0] = {}): Promise<Story> {
  const story = await pairedStory({ spares: ["c", "d"], ...different });
  await story.goesOn();
  story.crash("a");
  story.crash("b");
  return story;
}

test("permitted at the record's epoch, a runner begins the VM anew, and a console reader begins with it", async () => {
  const story = await lost();
  const { epoch } = story.world.record;
  story.world.start("c", epoch);
  await story.untilAlive("c");
  expect(story.granted.at(-1)).toBe("restart");
  expect(story.world.record).toMatchObject({ epoch: epoch + 1, primary: "c1", backup: null });
  expect(story.world.at("c").state.life).toBe(epoch + 1);
  await story.goesOn();
  expect(story.client.typed).toBeGreaterThan(0);
});

test("it pairs with the next one, and that one goes on in the same life", async () => {
  const story = await lost();
  const { epoch } = story.world.record;
  story.world.start("c", epoch);
  await story.untilAlive("c");
  story.world.start("d");
  await story.untilPaired();
  await story.goesOn();
  story.crash("c");
  await story.untilAlive("d");
  expect(story.world.at("d").state.life).toBe(epoch + 1);
  await story.goesOn();
});

test("of two that are permitted one begins the VM anew, and the other becomes its backup", async () => {
  const story = await lost();
  const { epoch } = story.world.record;
  story.world.start("c", epoch);
  story.world.start("d", epoch);
  await story.untilPaired();
  expect(story.granted.filter((kind) => kind === "restart")).toHaveLength(1);
  expect(story.lives.slice(1)).toHaveLength(1);
  await story.goesOn();
});

test("a take-over that lands first has brought the VM back: the restart is refused", async () => {
  const story = await pairedStory({ spares: ["c"] });
  const { epoch } = story.world.record;
  story.spoilFirst("takeover", "late");
  story.crash("a");
  await story.until("b asks for the take-over", () => story.asked.at(-1)?.kind === "takeover");
  // Its answer never comes to b, and the request is on its way yet.
  story.crash("b");
  await story.until("the take-over landed", () => story.world.record.epoch > epoch);
  story.world.start("c", epoch);
  await story.run(1_000);
  expect(story.world.record).toMatchObject({ epoch: epoch + 1, primary: "b1" });
  expect(story.world.at("c").role.kind).toBe("candidate");
  expect(story.asked.some(({ kind }) => kind === "restart")).toBe(false);
});

test("a restart whose answer was lost is asked for again, and the VM begins anew once", async () => {
  const story = await lost();
  story.spoilFirst("restart", "answer lost");
  story.world.start("c", story.world.record.epoch);
  await story.untilAlive("c");
  expect(story.asked.filter(({ kind }) => kind === "restart").length).toBeGreaterThan(1);
  expect(story.granted.filter((kind) => kind === "restart")).toHaveLength(1);
});

test("who began anew and died at once is followed by another, permitted at the next epoch", async () => {
  const story = await lost();
  const { epoch } = story.world.record;
  story.world.start("c", epoch);
  await story.until("the restart is granted", () => story.world.record.epoch > epoch);
  story.crash("c");
  story.world.start("d", epoch + 1);
  await story.untilAlive("d");
  expect(story.world.at("d").state.life).toBe(epoch + 2);
  await story.goesOn();
});

test("a VM that was switched off begins anew", async () => {
  const story = await pairedStory({ spares: ["c"] });
  story.powerOff();
  await story.untilEnded("a");
  await story.untilEnded("b");
  const { epoch, primary } = story.world.record;
  expect(primary).toBeNull();
  story.world.start("c", epoch);
  await story.untilAlive("c");
  await story.goesOn();
});

test("without permission a runner waits, whoever is gone", async () => {
  const story = await lost();
  story.world.start("c");
  await story.run(2_000);
  expect(story.world.at("c").role.kind).toBe("candidate");
  expect(story.asked.some(({ kind }) => kind === "restart")).toBe(false);
});

test.each([
  { heartbeatIntervalMs: 50, failureTimeoutMs: 301, lagTargetMs: 20 },
  { heartbeatIntervalMs: 1_000, failureTimeoutMs: 10_000, lagTargetMs: 1_000 },
])("with %o a silent primary is lost after its time-out, and not before", async (timings) => {
  const story = await pairedStory({ timings });
  story.crash("a", true);
  await story.run(timings.failureTimeoutMs - timings.heartbeatIntervalMs - 5);
  expect(story.lives).toEqual(["a1"]);
  await story.untilAlive("b", 2_000 + timings.heartbeatIntervalMs);
  await story.goesOn();
});
