/** Stories of the guest's network: what a gateway may and may not do to the VM and its clients. */
import { expect, test } from "@jest/globals";
import { assert } from "../../../src/shared/assert.ts";
import { pairedStory, type Story } from "../story.ts";
import type { Outside } from "./outside.ts";

const network = { outside: { clients: 2, thinkMs: 10, lossShare: 0 } };

async function networkStory(): Promise<{ readonly story: Story; readonly outside: Outside }> {
  const story = await pairedStory(network);
  const { outside } = story.world;
  assert(outside !== null, "the story has a network");
  outside.start();
  return { story, outside };
}

/** Every client is answered so many times more. */
async function answered({ story, outside }: Awaited<ReturnType<typeof networkStory>>, times = 3) {
  const before = outside.askers.map((asker) => asker.answered);
  const isSo = () => outside.askers.every((asker, i) => asker.answered >= (before[i] ?? 0) + times);
  await story.until("the clients are answered", isSo);
}

test("clients outside are answered, also after a failover, by the new primary", async () => {
  const all = await networkStory();
  await answered(all);
  all.story.crash("a");
  await all.story.untilAlive("b");
  await answered(all);
  expect(all.outside.gateway?.attached).toBe("b1");
});

test.each([
  ["its process", false],
  ["its computer", true],
])(
  "a gateway that dies with %s for good harms nobody: the VM goes on, and fails over",
  async (_, silent) => {
    const all = await networkStory();
    await answered(all);
    all.outside.crash(silent, null);
    await all.story.goesOn();
    all.story.crash("a", true);
    await all.story.untilAlive("b");
    await all.story.goesOn();
  },
);

test.each([
  ["its process", false],
  ["its computer", true],
])(
  "another gateway, after one died with %s, goes on where clients ask again",
  async (_, silent) => {
    const all = await networkStory();
    await answered(all);
    all.outside.crash(silent, 20);
    await all.story.until("another gateway is there", () => all.outside.gateway !== null);
    await answered(all);
  },
);

test("a gateway that stands still holds up its clients, and nothing else", async () => {
  const all = await networkStory();
  await answered(all);
  const { gateway } = all.outside;
  gateway?.freeze();
  all.outside.flood(200, 400);
  await all.story.run(300);
  await all.story.goesOn();
  gateway?.thaw();
  await answered(all);
});

test("an old primary that wakes up with frames in its buffers is not heard", async () => {
  const all = await networkStory();
  await answered(all);
  const old = all.story.world.at("a");
  old.freeze();
  await all.story.untilAlive("b");
  await answered(all);
  old.thaw();
  await all.story.untilEnded("a");
  await answered(all);
  expect(all.outside.gateway?.attached).toBe("b1");
});

test("a gateway that reads an old record lets the old primary in until the new one comes", async () => {
  const all = await networkStory();
  await answered(all);
  const { world } = all.story;
  const epoch = world.record.epoch;
  all.story.crash("a");
  await all.story.untilAlive("b");
  world.misleadGateway(world.record.epoch - epoch);
  await answered(all);
  expect(all.outside.gateway?.attached).toBe("b1");
});

test("a VM without a network has no gateway", async () => {
  const story = await pairedStory();
  expect(story.world.outside).toBeNull();
  await story.goesOn();
});
