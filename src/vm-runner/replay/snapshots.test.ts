import { expect, test } from "@jest/globals";
import { pause, Rig, recorder, replayed, type } from "../../../test/executor-rig.ts";
import { SimulatedMachine } from "../../../test/simulation/machine/machine.ts";
import { snapshotChunkBytes } from "../../shared/limits.ts";
import { decodeBatch } from "../logging-channel/codec.ts";
import type { ExecutorEvent } from "./executor-protocol.ts";

async function takeSnapshot(primary: Rig, id = 1) {
  primary.command({ kind: "takeSnapshot", id });
  return await primary.until("snapshotTaken");
}

async function readSnapshot(primary: Rig, memoryBytes: number, id = 1) {
  const chunks: (ExecutorEvent & { kind: "snapshotChunk" })[] = [];
  for (let i = 0; i < Math.ceil(memoryBytes / snapshotChunkBytes); i++) {
    primary.command({ kind: "readSnapshot", id });
    chunks.push(await primary.until("snapshotChunk"));
  }
  return chunks;
}

test("at a snapshot both sides move: a replayer stays equal, and the hash is compared", async () => {
  const primary = await recorder().turns(100);
  const taken = await takeSnapshot(primary);
  const chunks = await readSnapshot(primary, taken.memoryBytes);
  await primary.command(type("later")).turns(100);
  await pause(primary);
  expect(chunks.at(-1)?.hash).toHaveLength(32);
  const logged = primary.batches.flatMap(({ bytes }) => decodeBatch(bytes).entries);
  expect(logged[taken.index]?.entry.inputs.at(-1)).toEqual({ kind: "snapshot" });
  const kinds = logged.flatMap(({ entry }) => entry.inputs.map(({ kind }) => kind));
  expect(kinds).toContain("stateHash");
  const backup = await replayed(primary.batches);
  expect(backup.of("diverged")).toEqual([]);
  expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
});

test("a replayer whose state differs at a snapshot stops when the hash comes", async () => {
  const memoryBytes = 1024 * 1024;
  const primary = await recorder(new SimulatedMachine({ memoryBytes })).turns(10);
  const taken = await takeSnapshot(primary);
  await readSnapshot(primary, taken.memoryBytes);
  await primary.turns(20);
  const other = new SimulatedMachine({ memoryBytes });
  other.memory[memoryBytes - 1] = 1;
  const backup = await replayed(primary.batches, new Rig(other));
  expect(backup.of("diverged")[0]?.what).toContain(`snapshot of entry ${taken.index} differs`);
});

test("a new backup restored from the snapshot replays the log from there", async () => {
  const primary = await recorder(new SimulatedMachine({ memoryBytes: 3 * 1024 * 1024 })).turns(100);
  const { id, index, memoryBytes, devices } = await takeSnapshot(primary);
  const chunks = await readSnapshot(primary, memoryBytes);
  const hash = chunks.at(-1)?.hash ?? new Uint8Array();
  primary.command({ kind: "releaseSnapshot", id }, type("after"));
  await primary.turns(100);
  await pause(primary);
  const backup = new Rig(null);
  backup.command({ kind: "beginRestore", id, memoryBytes });
  for (const { offset, bytes } of chunks) {
    backup.command({ kind: "restoreChunk", id, offset, bytes });
  }
  backup.command({ kind: "finishRestore", id, first: index, devices, hash });
  await backup.until("restored");
  await replayed(
    primary.batches.filter(({ first }) => first >= index),
    backup,
  );
  expect(backup.of("diverged")).toEqual([]);
  expect(backup.text).toBe(primary.text.slice(-backup.text.length));
  expect(backup.text).toContain("after");
  const old = await replayed(primary.batches);
  expect(old.machine?.wholeFingerprint()).not.toBe(undefined);
});

test.each([
  ["a wrong hash", { hash: new Uint8Array(32), skip: 99, keep: 99 }, "hash"],
  ["a missing chunk", { hash: undefined, skip: 1, keep: 99 }, "expected the one for byte"],
  ["a snapshot that ends early", { hash: undefined, skip: 99, keep: 2 }, "ends after"],
])(
  "%s is refused before anything is used, and the restore can begin again",
  async (_, fault, message) => {
    const primary = await recorder(new SimulatedMachine({ memoryBytes: 3 * 1024 * 1024 })).turns(
      20,
    );
    const { index, memoryBytes, devices } = await takeSnapshot(primary);
    const chunks = await readSnapshot(primary, memoryBytes);
    const right = chunks.at(-1)?.hash ?? new Uint8Array();
    const backup = new Rig(null);
    const send = (id: number, pieces: typeof chunks, hash: Uint8Array) => {
      backup.command({ kind: "beginRestore", id, memoryBytes });
      for (const { offset, bytes } of pieces) {
        backup.command({ kind: "restoreChunk", id, offset, bytes });
      }
      backup.command({ kind: "finishRestore", id, first: index, devices, hash });
    };
    const pieces = chunks.filter((__, i) => i !== fault.skip).slice(0, fault.keep);
    send(1, pieces, fault.hash ?? right);
    expect((await backup.until("restoreFailed")).message).toContain(message);
    expect(backup.of("restored")).toEqual([]);
    send(2, chunks, right);
    expect((await backup.until("restored")).id).toBe(2);
  },
);

test.each([
  ["the move fails", { failMove: true }],
  ["there is no spare", { failSpare: true }],
])(
  "when %s the guest goes on in the old instance, and the log says nothing of it",
  async (_, fault) => {
    const machine = Object.assign(new SimulatedMachine(), fault);
    const primary = await recorder(machine).turns(50);
    primary.command({ kind: "takeSnapshot", id: 4 });
    expect((await primary.until("snapshotFailed")).id).toBe(4);
    await primary.command(type("alive")).turns(50);
    expect(primary.text).toContain("alive");
    await pause(primary);
    const backup = await replayed(primary.batches);
    expect(backup.of("diverged")).toEqual([]);
    expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
  },
);

test("a second snapshot is refused until the first is let go", async () => {
  const primary = await recorder().turns(20);
  await takeSnapshot(primary, 1);
  primary.command({ kind: "takeSnapshot", id: 2 });
  expect(await primary.until("snapshotFailed")).toMatchObject({ id: 2 });
  primary.command({ kind: "releaseSnapshot", id: 1 });
  expect(await takeSnapshot(primary, 3)).toMatchObject({ id: 3 });
});

test("a replayer that cannot follow a snapshot stops", async () => {
  const primary = await recorder().turns(20);
  const { index } = await takeSnapshot(primary);
  await primary.turns(5);
  const backup = await replayed(
    primary.batches,
    new Rig(Object.assign(new SimulatedMachine(), { failMove: true })),
  );
  expect(backup.of("trapped")).toEqual([
    { kind: "trapped", index, message: "cannot follow the snapshot: the copy differs" },
  ]);
});
