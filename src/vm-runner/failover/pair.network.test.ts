/** The guest's network at the pair: where the guest is, and which frames may be seen outside. */
import { expect, test } from "@jest/globals";
import {
  After,
  ack,
  after,
  egress,
  executor,
  follower,
  followerOfMine,
  live,
  me,
  nowMs,
  peer,
  primary,
  printed,
  record,
  recorded,
  stateOf,
  takingOver,
} from "../../../test/pair-states.ts";
import { heldEgressBytesMax } from "../../shared/limits.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { PairInput } from "./pair-types.ts";
import { candidateRole } from "./roles.ts";

const tick: PairInput = { kind: "tick" };
const paired = record(4, me, peer);
const announcement = Uint8Array.of(1, 2, 3);
const withBackup = primary({ follower: followerOfMine({ kind: "paired" }) });

function read(known: VmRecord): PairInput {
  return { kind: "recordRead", record: known };
}

/** Up to the moment at which the executor is to record, by each way to it. */
const ways: [string, After, VmRecord][] = [
  [
    "a first life",
    new After(stateOf(candidateRole(nowMs), record(0, null))).step([read(record(1, me))]),
    record(1, me),
  ],
  [
    "a take-over",
    new After(stateOf(takingOver(), paired)).step([read(record(5, me))]),
    record(5, me),
  ],
  [
    "a hand-over",
    new After(stateOf(follower(), record(4, peer, me))).step([read(record(5, me, peer))]),
    record(5, me, peer),
  ],
  [
    "a hand-over whose old primary is gone",
    new After(stateOf(follower({ link: null }), record(4, peer, me))).step([
      read(record(5, me, peer)),
    ]),
    record(5, me, peer),
  ],
  [
    "a hand-over that is given up",
    new After(
      stateOf(
        primary({
          follower: followerOfMine({ kind: "lost" }, { link: null }),
          leaving: { kind: "draining", next: 10, untilMs: 0 },
        }),
        paired,
      ),
    ).step([read(record(5, me)), tick]),
    record(5, me),
  ],
];

test.each(ways)(
  "after %s the guest is announced once its recorder runs, not before",
  (_, named, known) => {
    expect(named.of("goLive")).toEqual([]);
    const running = named.step([live(10, announcement), tick]);
    const { life } = running.state;
    expect(running.of("goLive")).toEqual([
      { kind: "goLive", epoch: known.epoch, life, announcement },
    ]);
    expect(life).not.toBeNull();
  },
);

test.each(ways)(
  "after %s the gateway learns at once what the log has of its frames",
  (_, named) => {
    const output = { kind: "ingressAccepted", gateway: 7, next: 3 } as const;
    const told = executor({ kind: "output", index: 9, output });
    const running = named.step([live(10), told]);
    expect(running.of("release").map((effect) => effect.output)).toEqual([output]);
    // It goes to a gateway that knows by then who is here.
    const kinds = running.effects.map(({ kind }) => kind);
    expect(kinds.lastIndexOf("release")).toBeGreaterThan(kinds.indexOf("goLive"));
  },
);

test("what a lost backup has not acknowledged is not told to the gateway before the record is settled", () => {
  const output = { kind: "ingressAccepted", gateway: 7, next: 3 } as const;
  const told = executor({ kind: "output", index: 10, output });
  const lost = primary({ follower: followerOfMine({ kind: "lost" }, { link: null }) });
  const waiting = after(lost, paired, recorded(10), told, tick);
  expect(waiting.of("release")).toEqual([]);
  expect(waiting.step([read(record(5, me))]).of("release")).toHaveLength(1);
});

test("a guest that went off while its primary was lost is not announced", () => {
  const off = new After(stateOf(takingOver({ poweredOff: true }), paired));
  const named = off.step([read(record(5, me)), tick]);
  expect(named.commands).toEqual([]);
  expect(named.of("goLive")).toEqual([]);
});

test("a frame of the guest leaves when the backup has acknowledged its entry, not before", () => {
  const held = after(withBackup, paired, recorded(10), egress(10), tick);
  expect(held.of("release")).toEqual([]);
  expect(
    held
      .step([ack(10, 9)])
      .of("release")
      .map(({ output }) => output.kind),
  ).toEqual(["egress"]);
});

test("of too many frames held the newest are lost, and the guest neither waits nor is told", () => {
  const full = after(withBackup, paired, recorded(10), egress(10, heldEgressBytesMax));
  const lost = full.step([recorded(11), egress(11), printed(11), egress(11)]);
  expect(lost.of("report")).toEqual([
    { kind: "report", report: { kind: "egressDropped", frames: 1 } },
    { kind: "report", report: { kind: "egressDropped", frames: 1 } },
  ]);
  expect(lost.commands).toEqual([]);
  const released = lost.step([ack(11)]).of("release");
  expect(released.map(({ output }) => output.kind)).toEqual(["egress", "console"]);
  const again = lost.step([ack(11), recorded(12), egress(12), ack(12)]);
  expect(again.of("release")).toHaveLength(3);
  expect(again.of("report").filter(({ report }) => report.kind === "egressDropped")).toHaveLength(
    2,
  );
});

test("frames held are no console bytes: they do not slow the guest", () => {
  const flooded = after(withBackup, paired, recorded(10), egress(10, heldEgressBytesMax), tick);
  expect(flooded.commands).toEqual([]);
  expect(flooded.role).toMatchObject({
    hold: { heldBytes: 0, heldEgressBytes: heldEgressBytesMax },
  });
});

test("a backup keeps the guest's frames, for a gateway that did not get them", () => {
  const kept = after(follower(), record(4, peer, me), egress(9));
  expect(kept.of("remember").map(({ output }) => output.kind)).toEqual(["egress"]);
  expect(kept.of("release")).toEqual([]);
});

test("a batch is acknowledged before anything else is done with it", () => {
  const batch = { first: 10, count: 1, timeUs: 1_000, bytes: new Uint8Array(9) };
  const message = { kind: "batch", batch } as const;
  const taken = after(follower(), record(4, peer, me), { kind: "message", link: 1, message });
  expect(taken.effects.map(({ kind }) => kind)).toEqual(["send", "executor"]);
});
