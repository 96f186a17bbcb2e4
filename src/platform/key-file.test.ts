import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
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

describe("as the volume of a Secret has it, root's and of the pod's group,", () => {
  const group = 4321;
  const pod = { uid: -1, groups: [100, group] };
  const cases: [string, number, typeof pod, boolean][] = [
    ["readable by the group that the process is in", 0o440, pod, true],
    ["readable and writable by its owner, too", 0o640, pod, true],
    ["of a group that the process is not in", 0o440, { ...pod, groups: [100] }, false],
    ["of this user, who could keep the group out", 0o440, { ...pod, uid: 0 }, false],
    ["writable by the group", 0o460, pod, false],
    ["executable by the group", 0o450, pod, false],
    ["readable by all others", 0o444, pod, false],
  ];
  const isRoot = process.getuid?.() === 0;
  const title = isRoot ? "" : " (skipped: only root can give files away)";
  (isRoot ? test : test.skip).each(cases)(`a key %s${title}`, (_, mode, reader, isTaken) => {
    writeFileSync(file, "ab".repeat(32));
    chownSync(file, 0, group);
    chmodSync(file, mode);
    if (isTaken) expect(readKeyFile(file, reader)).toHaveLength(32);
    else expect(() => readKeyFile(file, reader)).toThrow(/so others can read it/);
  });
});
