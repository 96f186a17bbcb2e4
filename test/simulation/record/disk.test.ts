import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import type { RecordRequest, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { Disk } from "../../../src/storage-arbiter/record/disk.ts";
import { FileStore } from "../../../src/storage-arbiter/record/file-store.ts";
import { nodeDisk } from "../../../src/storage-arbiter/record/node-disk.ts";
import { randomOf } from "../world/random.ts";
import { ProcessGone, SimulatedDisk } from "./disk.ts";

const vm = "vm-1";
const quiet = () => undefined;

test("the simulated disk answers and refuses like the real one", () => {
  const real = mkdtempSync(path.join(os.tmpdir(), "disk-"));
  try {
    const disk = new SimulatedDisk();
    expect(tried(disk.handle(quiet), disk.root)).toEqual(tried(nodeDisk, real));
  } finally {
    rmSync(real, { recursive: true, force: true });
  }
});

test("a power failure keeps what was synced, and of the rest now this, now that", () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const disk = new SimulatedDisk();
    const handle = disk.handle(quiet);
    handle.writeNew(`${disk.root}/kept`, "kept");
    handle.syncDirectory(disk.root);
    handle.writeNew(`${disk.root}/new`, "new");
    disk.crash(randomOf(seed, "power"));
    const names = [...disk.handle(quiet).list(disk.root)];
    expect(names).toContain("kept");
    expect(disk.handle(quiet).readText(`${disk.root}/kept`)).toBe("kept");
    found.add(names.join());
  }
  expect([...found].sort()).toEqual(["kept", "kept,new"]);
});

test("of a file that was not synced a power failure leaves any part", () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const disk = new SimulatedDisk();
    const file = `${disk.root}/f`;
    const handle = disk.handle((operation, when) => {
      if (operation === "sync file" && when === "before") handle.close();
    });
    expect(() => handle.writeNew(file, "abc")).toThrow(ProcessGone);
    disk.crash(randomOf(seed, "power"));
    const there = disk.handle(quiet).list(disk.root).length > 0;
    found.add(there ? disk.handle(quiet).readText(file) : "no file");
  }
  expect([...found].sort()).toEqual(["", "a", "ab", "abc", "no file"]);
});

test("a directory whose name was not synced takes its files with it", () => {
  const lost = new SimulatedDisk();
  const handle = lost.handle(quiet);
  handle.makeDirectory(`${lost.root}/d`);
  handle.writeNew(`${lost.root}/d/f`, "text");
  handle.syncDirectory(`${lost.root}/d`);
  expect(lost.durableText(`${lost.root}/d/f`)).toBeNull();
  lost.crash(() => 0);
  expect(lost.handle(quiet).list(lost.root)).toEqual([]);
});

test("what somebody removed is gone with all below it, and no power failure brings it back", () => {
  const disk = new SimulatedDisk();
  const handle = disk.handle(quiet);
  handle.makeDirectory(`${disk.root}/d`);
  handle.syncDirectory(disk.root);
  handle.writeNew(`${disk.root}/d/f`, "text");
  handle.syncDirectory(`${disk.root}/d`);
  disk.remove(`${disk.root}/d`);
  expect(handle.list(disk.root)).toEqual([]);
  expect(() => handle.readText(`${disk.root}/d/f`)).toThrow("no file records/d/f");
  expect(disk.durableText(`${disk.root}/d/f`)).toBeNull();
  disk.crash(() => 0);
  expect(disk.handle(quiet).list(disk.root)).toEqual([]);
});

/** A life of a VM: each request is granted when it is its turn. */
const life: readonly RecordRequest[] = [
  { kind: "create", vm },
  { kind: "start", vm, runner: "a", epoch: 0 },
  { kind: "pair", vm, runner: "a", backup: "b", epoch: 1 },
  { kind: "takeover", vm, runner: "b", epoch: 2 },
];

test("a store that loses power at any operation never forgets a record that it told", () => {
  let crashes = 0;
  let torn = 0;
  for (let seed = 1; seed <= 60; seed++) {
    for (let at = 1; ; at++) {
      const told = new Telling();
      const disk = new SimulatedDisk();
      const crashed = runCrashedAt(disk, at, told);
      if (!crashed) break;
      crashes++;
      disk.crash(randomOf(seed, `power ${at}`));
      const reader = new FileStore(disk.root, disk.handle(quiet));
      const before = told.highest;
      told.note(reader.read(vm));
      if (told.highest > before) torn++;
      for (const request of life) told.note(reader.apply(request).record);
      expect(told.highest).toBe(3);
    }
  }
  expect(crashes).toBeGreaterThan(2_000);
  // Now and then a change survives that nobody was told of.
  expect(torn).toBeGreaterThan(40);
});

test("two arbiters that interleave at any operation make one record of each epoch", () => {
  const rivals: RecordRequest[] = [
    { kind: "takeover", vm, runner: "b", epoch: 2 },
    { kind: "alone", vm, runner: "a", epoch: 2 },
  ];
  const winners = new Set<string>();
  for (let at = 1; ; at++) {
    const told = new Telling();
    const disk = new SimulatedDisk();
    const other = new FileStore(disk.root, disk.handle(quiet));
    for (const request of life.slice(0, 3)) told.note(other.apply(request).record);
    let operations = 0;
    const interrupted = new FileStore(
      disk.root,
      disk.handle(() => {
        operations++;
        // SAFETY: there are two rivals.
        if (operations === at) told.note(other.apply(rivals[1] as RecordRequest).record);
      }),
    );
    // SAFETY: there are two rivals.
    const outcome = interrupted.apply(rivals[0] as RecordRequest);
    told.note(outcome.record);
    if (operations < at) break;
    expect(other.read(vm)).toEqual(interrupted.read(vm));
    expect(told.highest).toBe(3);
    winners.add(outcome.kind);
  }
  expect([...winners].sort()).toEqual(["granted", "refused"]);
});

test("a record that only a killed arbiter's rival saw outlives a power failure", () => {
  let seen = 0;
  for (let seed = 1; seed <= 40; seed++) {
    for (let at = 1; ; at++) {
      const told = new Telling();
      const disk = new SimulatedDisk();
      if (!runCrashedAt(disk, at, told)) break;
      const before = told.highest;
      told.note(new FileStore(disk.root, disk.handle(quiet)).read(vm));
      if (told.highest > before) seen++;
      disk.crash(randomOf(seed, `power ${at}`));
      told.note(new FileStore(disk.root, disk.handle(quiet)).read(vm));
    }
  }
  expect(seen).toBeGreaterThan(40);
});

/** What anybody was ever told: one content for each epoch, and never an older one than before. */
class Telling {
  highest = -1;
  readonly #told = new Map<number, VmRecord>();

  note(record: VmRecord | null): void {
    const epoch = record?.epoch ?? -1;
    expect(epoch).toBeGreaterThanOrEqual(this.highest);
    this.highest = epoch;
    if (record === null) return;
    expect(record).toEqual(this.#told.get(epoch) ?? record);
    this.#told.set(epoch, record);
  }
}

/** Lives the whole life on `disk`, killed at the `at`-th hook; false: it came to its end. */
function runCrashedAt(disk: SimulatedDisk, at: number, told: Telling): boolean {
  let operations = 0;
  const handle = disk.handle(() => {
    if (++operations === at) handle.close();
  });
  const store = new FileStore(disk.root, handle);
  try {
    for (const request of life) told.note(store.apply(request).record);
    return false;
  } catch (error) {
    if (error instanceof ProcessGone) return true;
    throw error;
  }
}

/** What comes of each operation, as it should and as it should not be. */
function tried(disk: Disk, root: string): unknown[] {
  const attempts: (() => unknown)[] = [
    () => disk.list(root),
    () => disk.list(`${root}/no`),
    () => disk.readText(`${root}/no`),
    () => disk.writeNew(`${root}/f`, "text"),
    () => disk.writeNew(`${root}/f`, "other"),
    () => disk.writeNew(`${root}/no/f`, "text"),
    () => disk.link(`${root}/f`, `${root}/g`),
    () => disk.link(`${root}/f`, `${root}/g`),
    () => disk.link(`${root}/no`, `${root}/h`),
    () => disk.unlink(`${root}/f`),
    () => disk.unlink(`${root}/f`),
    () => disk.readText(`${root}/g`),
    () => disk.makeDirectory(`${root}/d`),
    () => disk.makeDirectory(`${root}/d`),
    () => disk.makeDirectory(`${root}/no/d`),
    () => disk.syncDirectory(root),
    () => disk.syncDirectory(`${root}/no`),
    () => [...disk.list(root)].sort(),
    () => new Set([disk.freshWord(), disk.freshWord()]).size,
  ];
  return attempts.map((attempt) => {
    try {
      return attempt();
    } catch (error) {
      // SAFETY: disks throw errors of their own, which have a code.
      return `refused: ${(error as { code?: unknown }).code}`;
    }
  });
}
