/** A cached image is used as long as it is whole, and makes room when it is old. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { truncate, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { cachedImage, isVersionOf } from "./image-cache.ts";

const before = process.env["LOCKSTEP_CACHE"];
let cache: string;
let made: number;

beforeEach(() => {
  cache = mkdtempSync(path.join(os.tmpdir(), "images-"));
  process.env["LOCKSTEP_CACHE"] = cache;
  made = 0;
});
afterEach(() => {
  if (before === undefined) delete process.env["LOCKSTEP_CACHE"];
  else process.env["LOCKSTEP_CACHE"] = before;
  rmSync(cache, { recursive: true });
});

const make = async (file: string, work: string) => {
  made += 1;
  await writeFile(path.join(work, "scrap"), "");
  await writeFile(file, `image ${made}`);
};
const names = () => readdirSync(path.join(cache, "cluster", "images")).sort();

async function age(name: string, hours: number): Promise<void> {
  const then = new Date(Date.now() - hours * 3600_000);
  await utimes(path.join(cache, "cluster", "images", name), then, then);
}

test("an image is made once, and nothing else is left behind", async () => {
  const first = await cachedImage("base", "1", make);
  expect(await cachedImage("base", "1", make)).toBe(first);
  expect([made, readFileSync(first, "utf8"), names()]).toEqual([1, "image 1", ["base-1"]]);
});

test.each([
  ["cut off", (file: string) => truncate(file, 3)],
  ["changed", (file: string) => writeFile(file, "image X")],
  ["without its measure", (file: string) => writeFile(file.replace(/tar$/, "json"), "")],
])("an image that was %s is made again", async (_, damage) => {
  const file = await cachedImage("base", "1", make);
  await damage(file);
  expect(await cachedImage("base", "1", make)).toBe(file);
  expect([readFileSync(file, "utf8"), names()]).toEqual(["image 2", ["base-1"]]);
});

test("of two that are made at once the first stands", async () => {
  let finishFirst = () => {};
  const firstIsThere = new Promise<void>((resolve) => {
    finishFirst = resolve;
  });
  const slow = cachedImage("base", "1", async (file) => {
    await firstIsThere;
    await writeFile(file, "second");
  });
  const file = await cachedImage("base", "1", make);
  finishFirst();
  expect(await slow).toBe(file);
  expect([readFileSync(file, "utf8"), names()]).toEqual(["image 1", ["base-1"]]);
});

test("a failure is passed on and leaves nothing", async () => {
  const failing = cachedImage("base", "1", async (file) => {
    await writeFile(file, "half");
    throw new Error("no space");
  });
  await expect(failing).rejects.toThrow("no space");
  expect(names()).toEqual([]);
});

test("a new version removes those of the same image that nobody used for a day", async () => {
  for (const key of ["1", "2", "3"]) await cachedImage("base", key, make);
  await cachedImage("base-x", "1", make);
  for (const name of ["base-1", "base-2", "base-x-1"]) await age(name, 25);
  await cachedImage("base", "1", make); // It is used again.
  const file = await cachedImage("base", "4", make);
  expect(names()).toEqual(["base-1", "base-3", "base-4", "base-x-1"]);
  expect(existsSync(file)).toBe(true);
});

test("what a killed process left is removed after an hour", async () => {
  let abandoned = "";
  await cachedImage("base", "1", async (file, work) => {
    abandoned = path.join(path.dirname(work), ".building-abandoned");
    await writeFile(abandoned, "");
    await make(file, work);
  });
  expect(existsSync(abandoned)).toBe(true);
  await age(".building-abandoned", 1.1);
  await cachedImage("base", "2", make);
  expect(existsSync(abandoned)).toBe(false);
});

test.each([
  ["lockstep-0123456789abcdef", "lockstep", true],
  ["lockstep-base-0123456789abcdef", "lockstep", false],
  ["a-client-ff", "a-client", true],
  ["a-client-ff", "a", false],
  [".building-abc", "pause", false],
])("%s is a version of %s: %s", (entry, name, expected) => {
  expect(isVersionOf(entry, name)).toBe(expected);
});
