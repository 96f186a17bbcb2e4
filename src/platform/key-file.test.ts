import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createKeyFile, readKeyFile } from "./key-file.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "key-"));
  file = path.join(folder, "key");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a key file that was made here is private and is read back", () => {
  const key = createKeyFile(file);
  expect(key).toHaveLength(32);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect([...readKeyFile(file)]).toEqual([...key]);
});

test("an existing key is never overwritten", () => {
  createKeyFile(file);
  expect(() => createKeyFile(file)).toThrow(/cannot write key file .*EEXIST/);
});

test.each([
  ["that others can read", "ab".repeat(32), 0o644, /has mode 0644.*chmod 0600/],
  ["that is too short", "ab".repeat(31), 0o600, /expected 64 hexadecimal digits, found 62/],
  ["that is too long", "ab".repeat(33), 0o600, /expected 64 hexadecimal digits, found 66/],
  ["that is not hexadecimal", "xy".repeat(32), 0o600, /does not hold a key/],
  ["that is empty", "", 0o600, /found 0 characters/],
])("a key file %s is refused with one sentence", (_, text, mode, message) => {
  writeFileSync(file, text);
  chmodSync(file, mode);
  expect(() => readKeyFile(file)).toThrow(message);
});

test("a key file that is not there is named", () => {
  expect(() => readKeyFile(file)).toThrow(`cannot read key file ${file}: Error: ENOENT`);
});
