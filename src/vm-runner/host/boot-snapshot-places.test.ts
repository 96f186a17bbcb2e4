import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { bootSnapshotPlaces } from "./boot-snapshot-places.ts";

let folder: string;
let temporary: string;
/** Nobody can write below a file, root included. */
let readOnly: string;
const own = () => path.join(temporary, `lockstep-${process.getuid?.()}`);

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "places-"));
  temporary = path.join(folder, "tmp");
  mkdirSync(temporary);
  readOnly = path.join(folder, "file");
  writeFileSync(readOnly, "");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a cache that can be written is the only place, and trying leaves nothing there", async () => {
  const cache = path.join(folder, "cache");
  expect(await bootSnapshotPlaces(cache, temporary)).toEqual([path.join(cache, "boot")]);
  expect(readdirSync(path.join(cache, "boot"))).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

test("beside a cache that cannot be written there is a place for this user alone", async () => {
  const places = [path.join(readOnly, "boot"), path.join(own(), "boot")];
  expect(await bootSnapshotPlaces(readOnly, temporary)).toEqual(places);
  expect(await bootSnapshotPlaces(readOnly, temporary)).toEqual(places);
});

test.each<[string, () => void]>([
  [
    "others may write to",
    () => {
      mkdirSync(own());
      chmodSync(own(), 0o777);
    },
  ],
  ["leads elsewhere", () => symlinkSync(folder, own())],
  ["is a file", () => writeFileSync(own(), "")],
])("a temporary directory that %s is not trusted", async (_, make) => {
  make();
  expect(await bootSnapshotPlaces(readOnly, temporary)).toEqual([path.join(readOnly, "boot")]);
  expect(existsSync(path.join(own(), "boot"))).toBe(false);
});
