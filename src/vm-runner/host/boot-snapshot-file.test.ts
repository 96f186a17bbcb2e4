import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { checkBootSnapshot, loadBootSnapshot, saveBootSnapshot } from "./boot-snapshot-file.ts";

const state = {
  memory: Uint8Array.from({ length: 200_000 }, (_, i) => (i * i) & 0xff),
  devices: Uint8Array.of(1, 2, 3),
  timeUs: 8_000_000,
};
let folder: string;
let file: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "boot-"));
  file = path.join(folder, "x.snapshot");
  await saveBootSnapshot(file, state);
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a saved state is loaded as it was, and leaves nothing else behind", async () => {
  const memory = new Uint8Array(state.memory.length);
  const loaded = await loadBootSnapshot(file, (offset, bytes) => memory.set(bytes, offset));
  expect([...memory]).toEqual([...state.memory]);
  expect([...loaded.devices]).toEqual([...state.devices]);
  expect(loaded.timeUs).toBe(state.timeUs);
  expect(readdirSync(folder)).toEqual(["x.snapshot"]);
});

test("the same state has the same hash, another one has another", async () => {
  const { stateSha256 } = await checkBootSnapshot(file);
  await saveBootSnapshot(file, state);
  expect((await checkBootSnapshot(file)).stateSha256).toBe(stateSha256);
  await saveBootSnapshot(file, { ...state, devices: Uint8Array.of(1, 2, 4) });
  expect((await checkBootSnapshot(file)).stateSha256).not.toBe(stateSha256);
});

test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
  ["of another kind", () => Buffer.from("something else entirely"), /does not begin with/],
  ["that is empty", () => Buffer.alloc(0), /does not begin with/],
  ["with an absurd header", (bytes) => flip(bytes, 18), /cannot be used/],
  ["with one bit changed", (bytes) => flip(bytes, bytes.length - 9), /its hash is wrong/],
  ["that was cut off", (bytes) => bytes.subarray(0, -1), /its hash is wrong/],
])("a file %s is refused", async (_, damage, message) => {
  writeFileSync(file, damage(readFileSync(file)));
  await expect(checkBootSnapshot(file)).rejects.toThrow(message);
  const nobody = () => {
    throw new Error("a damaged state is loaded");
  };
  await expect(loadBootSnapshot(file, nobody)).rejects.toThrow(message);
});

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
