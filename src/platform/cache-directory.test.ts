import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { canKeepIn } from "./cache-directory.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "cache-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a directory that can be written is made, and trying leaves nothing in it", async () => {
  const directory = path.join(folder, "some", "where");
  expect(await canKeepIn(directory)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test("nothing can be kept where nothing can be made, as below a file or in /proc", async () => {
  const file = path.join(folder, "file");
  writeFileSync(file, "");
  expect(await canKeepIn(path.join(file, "below"))).toBe(false);
  expect(await canKeepIn("/proc/self")).toBe(false);
});
