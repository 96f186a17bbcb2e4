/** Frames for the guest, from the recorder's queue to the answer of the guest, on the simulated machine. */
import { expect, test } from "@jest/globals";
import {
  pause,
  Rig,
  recorder,
  replay,
  replayed,
  send,
  start,
  type,
} from "../../../test/executor-rig.ts";
import { ringFrames } from "../../../test/simulation/machine/card.ts";

/** Serial numbers of the requests that the guest has answered. */
function answered(rig: Rig): number[] {
  return rig.sent.flatMap((frame) => {
    return frame.kind === "sent" && frame.request !== null ? [Number(frame.request.slice(1))] : [];
  });
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

test("the guest answers every frame once, in order, and a replayer gives the same answers", async () => {
  const primary = await recorder().turns(20);
  await primary.command(send(0, 3), send(3, 40)).turns(200);
  expect(answered(primary)).toEqual(upTo(43));
  await pause(primary);
  const backup = await replayed(primary.batches);
  expect(backup.of("diverged")).toEqual([]);
  expect(backup.sent).toEqual(primary.sent);
  expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
});

test("an entry is made at once when a frame comes, and leaves before its step runs", async () => {
  const primary = await recorder().turns(20);
  // The guest sleeps: the next entry would be due in milliseconds.
  const before = primary.nowUs;
  await primary.command(send(0, 1)).turns(1);
  expect(primary.nowUs - before).toBe(200);
  expect(primary.ingress.at(-1)?.input.frames).toHaveLength(1);
  expect(answered(primary)).toEqual([]);
  await primary.turns(1);
  expect(answered(primary)).toEqual([0]);
});

test("an entry brings what the card has room for; the rest waits, and the recorder does not spin", async () => {
  const primary = await recorder().turns(20);
  await primary.command(send(0, 3 * ringFrames)).turns(1);
  expect(primary.ingress.at(-1)?.input).toMatchObject({ first: 0 });
  expect(primary.ingress.at(-1)?.input.frames).toHaveLength(ringFrames);
  await primary.turns(100);
  expect(primary.ingress.flatMap(({ input }) => input.frames)).toHaveLength(3 * ringFrames);
  expect(answered(primary)).toEqual(upTo(3 * ringFrames));
});

test("frames without room for them call for no entry: the recorder sleeps with the guest", async () => {
  const full = await recorder().turns(20);
  Object.defineProperty(full.machine, "ingressRoom", { get: () => 0 });
  const [recorded, nowUs] = [full.batches.length, full.nowUs];
  await full.command(send(0, 1)).turns(40);
  const entries = full.batches.slice(recorded).reduce((sum, { count }) => sum + count, 0);
  // As many as the guest's own timers call for, and not one a turn.
  expect(entries).toBeLessThan((full.nowUs - nowUs) / 3_000);
  expect(full.ingress).toEqual([]);
});

test("the gateway is told after the step of an entry that brought frames, and only by the recorder", async () => {
  const primary = await recorder().command(send(0, 2)).turns(20);
  await primary.command(send(2, ringFrames + 1)).turns(30);
  const told = primary.ingress.map(({ index, input: { gateway, first, frames } }) => {
    return { index, gateway, next: first + frames.length };
  });
  expect(told.length).toBeGreaterThan(2);
  expect(primary.accepted).toEqual(told);
  await pause(primary);
  expect((await replayed(primary.batches)).accepted).toEqual([]);
});

test("frames that the guest has, or that wait, are not logged again", async () => {
  const primary = await recorder().command(send(0, 4)).turns(20);
  await primary.command(send(0, 30), send(2, 28), send(0, 4)).turns(60);
  const logged = primary.ingress.flatMap(({ input: { first, frames } }) => {
    return frames.map((_, i) => first + i);
  });
  expect(logged).toEqual(upTo(30));
  expect(answered(primary)).toEqual(upTo(30));
});

test("another gateway begins anew, and what waits of the old one is forgotten", async () => {
  const primary = await recorder().turns(20);
  await primary.command(send(0, ringFrames + 9)).turns(1);
  await primary.command(send(0, 2, 8)).turns(40);
  expect(primary.accepted.at(-1)).toMatchObject({ gateway: 8, next: 2 });
  expect(answered(primary)).toEqual([...upTo(ringFrames), 0, 1]);
});

test("frames and typed bytes come with the same entries", async () => {
  const primary = await recorder().turns(20);
  await primary.command(send(0, 9), type("abc")).turns(40);
  expect(primary.echoes.map(({ text }) => text).join("")).toBe("abc");
  expect(answered(primary)).toEqual(upTo(9));
});

test("a snapshot between frames loses none, and gives none twice", async () => {
  const primary = await recorder().turns(20);
  primary.command({ kind: "takeSnapshot", id: 1 }, send(0, 2));
  for (let i = 0; i < 40; i++) await primary.command(send(i, 3)).turns(1);
  await primary.turns(60);
  expect(primary.of("snapshotTaken")).toHaveLength(1);
  expect(answered(primary)).toEqual(upTo(42));
  await pause(primary);
  const backup = await replayed(primary.batches);
  expect(backup.of("diverged")).toEqual([]);
  expect(backup.sent).toEqual(primary.sent);
});

test("a first life says that it is live, and there is nothing that a gateway could be told", async () => {
  const primary = await recorder().turns(20);
  expect(primary.of("live")).toHaveLength(1);
  expect(primary.accepted).toEqual([]);
});

test("going live it tells the gateway of the last one's frames, with the last step executed", async () => {
  const primary = await recorder().command(send(0, 5)).turns(60);
  await pause(primary);
  const backup = new Rig();
  // Frames that come before it is live are those that the old primary may have logged.
  backup.command(...replay(primary.batches), { kind: "record", inputs: [] }, send(3, 4));
  const { next, announcement } = await backup.until("live");
  expect(announcement).not.toBeNull();
  expect(backup.accepted[0]).toEqual({ index: next - 1, gateway: 7, next: 5 });
  const live = backup.events.findIndex(({ kind }) => kind === "live");
  expect(backup.events[live + 1]).toMatchObject({ kind: "output", index: next - 1 });
  await backup.turns(60);
  expect(answered(backup)).toEqual(upTo(7));
});

test("a gateway that sends again what the last primary logged costs the log nothing", async () => {
  const primary = await recorder().command(send(0, 5)).turns(60);
  await pause(primary);
  const backup = await replayed(primary.batches);
  backup.command({ kind: "record", inputs: [] });
  await backup.until("live");
  await backup.command(send(0, 7)).turns(60);
  expect(backup.ingress.map(({ input }) => [input.first, input.frames.length])).toEqual([[5, 2]]);
  expect(answered(backup)).toEqual(upTo(7));
});

test("a hand-over that is given up: the gateway is told again, and the outputs keep their order", async () => {
  const primary = await recorder().command(send(0, 5)).turns(60);
  await pause(primary);
  await primary.command({ kind: "record", inputs: [] }, send(5, 2)).turns(40);
  expect(primary.of("live")).toHaveLength(2);
  const indices = primary.of("output").map(({ index }) => index);
  expect(indices).toEqual(indices.toSorted((a, b) => a - b));
  expect(primary.accepted.filter(({ next }) => next === 5)).toHaveLength(2);
  expect(answered(primary)).toEqual(upTo(7));
});

test("handed over, frames that waited are forgotten: the gateway sends them to the other runner", async () => {
  const first = await recorder().command(send(0, 5)).turns(60);
  await pause(first);
  const second = await replayed(first.batches);
  await second.command({ kind: "record", inputs: [] }, send(5, 3)).turns(60);
  await pause(second);
  first.command(send(5, 9), { kind: "stop" }, ...replay(second.batches));
  first.command({ kind: "record", inputs: [] });
  await first.turns(200);
  expect(first.of("diverged")).toEqual([]);
  expect(first.accepted.at(-1)).toMatchObject({ gateway: 7, next: 8 });
  expect(answered(first)).toEqual(upTo(8));
});

test("frames in the first entry of a life come after what starts the guest", async () => {
  const primary = new Rig().command(send(0, 1), { kind: "record", inputs: [start] });
  await primary.turns(20);
  expect(primary.ingress[0]?.index).toBe(0);
  expect(primary.accepted).toEqual([{ index: 0, gateway: 7, next: 1 }]);
  expect(answered(primary)).toEqual([0]);
});
