/** The cache of built programs: what its key depends on, and that nothing in it is trusted. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { buildKey, groupFolder, lookUp, put } from "./binary-cache.ts";
import type { BuildGroup } from "./binary-table.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "binary-cache-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const group: BuildGroup = {
  name: "some",
  module: "some",
  packages: new Map([["etcd", "./etcd"]]),
  stamps: [["main.VERSION", "v1"]],
};
const sources = [["go.mod", "go 1.26"]] as const;
const usual = buildKey(group, sources, "linux x64");

test.each([
  ["another platform", buildKey(group, sources, "linux arm64")],
  ["a changed file", buildKey(group, [["go.mod", "go 1.27"]], "linux x64")],
  ["another name of a file", buildKey(group, [["go.sum", "go 1.26"]], "linux x64")],
  ["one file more", buildKey(group, [...sources, ["main.go", ""]], "linux x64")],
  ["another stamp", buildKey({ ...group, stamps: [["main.VERSION", "v2"]] }, sources, "linux x64")],
  [
    "another package",
    buildKey({ ...group, packages: new Map([["etcd", "./x"]]) }, sources, "linux x64"),
  ],
])("%s gives another key", (_, key) => {
  expect(key).not.toBe(usual);
  expect(key).toMatch(/^[0-9a-f]{16}$/);
});

test("the same sources and command give the same key", () => {
  expect(buildKey({ ...group }, [...sources], "linux x64")).toBe(usual);
});

test("each of a module's go.mod, go.sum and Go files decides where programs are kept", async () => {
  const tools = path.join(folder, "tools");
  const seen = new Set<string>();
  for (const name of ["go.mod", "go.sum", "main.go", "notes.txt"]) {
    await mkdir(path.join(tools, "some"), { recursive: true });
    await writeFile(path.join(tools, "some", name), name);
    seen.add(await groupFolder(folder, tools, group));
  }
  expect(seen.size).toBe(3);
  expect([...seen][0]).toMatch(/cluster\/some-[0-9a-f]{16}$/);
});

test("what was put is found, and is the whole program", async () => {
  const file = await put(await program("contents"), path.join(folder, "kept"), "etcd");
  expect(await lookUp(path.join(folder, "kept"), "etcd")).toEqual({ kind: "good", file });
  expect(await readFile(file, "utf8")).toBe("contents");
  expect(await lookUp(path.join(folder, "kept"), "kubelet")).toEqual({ kind: "none" });
});

test.each<[string, (file: string) => Promise<void>, string]>([
  ["is cut off", async (file) => await writeFile(file, "content"), "contents"],
  ["has a flipped bit", async (file) => await writeFile(file, "contentr"), "contents"],
  ["cannot be run", async (file) => await chmod(file, 0o644), "run"],
  ["is gone", async (file) => await rm(file), "not there"],
])("a program in the cache that %s is damaged", async (_, damage, why) => {
  const file = await put(await program("contents"), path.join(folder, "kept"), "etcd");
  await damage(file);
  const entry = await lookUp(path.join(folder, "kept"), "etcd");
  expect(entry).toMatchObject({ kind: "damaged", file });
  expect(entry).toHaveProperty("why", expect.stringContaining(why));
});

test("a program that has been checked is read again only after the file was touched", async () => {
  const kept = path.join(folder, "kept");
  const file = await put(await program("contents"), kept, "etcd");
  const later = Date.now() + 60_000;
  expect(await lookUp(kept, "etcd", later)).toMatchObject({ kind: "good" });
  const [, checked = ""] = (await readFile(`${file}.sha256`, "utf8")).split("\n");
  expect(checked).toMatch(/^(\d+ ){4}\d+$/);
  // Whoever believes the second line does not compare with the first.
  await writeFile(`${file}.sha256`, `another sum\n${checked}\n`);
  expect(await lookUp(kept, "etcd", later)).toMatchObject({ kind: "good" });
  await chmod(file, 0o700);
  expect(await lookUp(kept, "etcd", later)).toMatchObject({ kind: "damaged" });
});

test("a file that was changed just now is read every time", async () => {
  const kept = path.join(folder, "kept");
  const file = await put(await program("contents"), kept, "etcd");
  await lookUp(kept, "etcd");
  expect((await readFile(`${file}.sha256`, "utf8")).split("\n")[1]).toBe("");
});

test("a program without a note of its sum, from a build that was killed, is none", async () => {
  await program("contents");
  expect(await lookUp(folder, "etcd")).toEqual({ kind: "none" });
});

test("a new program takes the place of a damaged one", async () => {
  const kept = path.join(folder, "kept");
  await writeFile(await put(await program("old"), kept, "etcd"), "rotten");
  const file = await put(await program("new"), kept, "etcd");
  expect(await lookUp(kept, "etcd")).toEqual({ kind: "good", file });
  expect(await readFile(file, "utf8")).toBe("new");
});

async function program(text: string): Promise<string> {
  const file = path.join(folder, "etcd");
  await writeFile(file, text, { mode: 0o755 });
  return file;
}
