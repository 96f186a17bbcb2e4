/** The records of clusters: who has which name and number, and what is left when nobody has any. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type ClusterRecord, Records } from "./record.ts";

let folder: string;
let records: Records;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "records-"));
  records = new Records(path.join(folder, "state"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a record is kept as it was made, and every Records of the place sees it", async () => {
  const made = await create("one");
  expect(made).toMatchObject({
    format: 1,
    spec: { name: "one", number: 100, level: "api", nodeCount: 0, profile: "fast" },
    unplugged: [],
  });
  const elsewhere = new Records(records.root);
  expect(await elsewhere.get("one")).toEqual(made);
  expect(elsewhere.layoutOf(made).directory).toBe(path.join(folder, "state/clusters/one"));
});

test("an update replaces the whole record", async () => {
  const made = await create("one");
  const changed = { ...made, unplugged: ["node1"], programs: { etcd: "/bin/etcd" } };
  await records.update(changed);
  expect(await records.get("one")).toEqual(changed);
});

test("the record of a cluster that has gone does not come back", async () => {
  const made = await create("one");
  await remove(made);
  await expect(records.update(made)).rejects.toThrow('there is no cluster "one"');
  const next = await create("one");
  await expect(records.update(made)).rejects.toThrow("cluster one was ended meanwhile");
  await expect(records.again(made)).rejects.toThrow("cluster one was ended meanwhile");
  expect(await records.again(next)).toEqual(next);
});

test("all are listed by name, and none when there is no place for them", async () => {
  expect(await records.all()).toEqual([]);
  for (const name of ["two", "one"]) await create(name);
  expect((await records.all()).map(({ spec }) => spec.name)).toEqual(["one", "two"]);
});

test("a name that is in use is refused, and the record stays as it was", async () => {
  const made = await create("one");
  await expect(create("one")).rejects.toThrow(
    /^a cluster "one" is there already, .*; remove it with: npm run cluster -- down --name one; or/,
  );
  expect(await records.get("one")).toEqual(made);
});

test("each life of a name has an id of its own", async () => {
  const first = await create("one");
  await remove(first);
  const second = await create("one");
  expect(second.spec).toEqual(first.spec);
  expect(second.id).not.toBe(first.id);
});

test("twenty that are made at the same time get twenty numbers", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  const made = await Promise.all(names.map((name) => create(name)));
  const numbers = made.map(({ spec }) => spec.number).sort();
  expect(numbers).toEqual(names.map((_, i) => 100 + i));
  expect(await records.all()).toHaveLength(20);
}, 30_000);

test("when no number is free, nothing is left of the attempt", async () => {
  await expect(
    records.create({ name: "one", level: "api", nodeCount: 0, profile: "fast" }, () =>
      Promise.reject(new Error("every network is in use")),
    ),
  ).rejects.toThrow("every network is in use");
  expect(await readdir(folder)).toEqual([]);
});

test("the place goes with the last record, and not before", async () => {
  const [one, two] = [await create("one"), await create("two")];
  await mkdir(path.join(records.root, "clusters"), { recursive: true });
  await remove(one);
  expect(await records.get("two")).toEqual(two);
  await remove(two);
  expect(existsSync(records.root)).toBe(false);
  expect(await readdir(folder)).toEqual([]);
});

test("a place that holds something else stays", async () => {
  const made = await create("one");
  await writeFile(path.join(records.root, "notes"), "mine");
  await remove(made);
  expect(await readFile(path.join(records.root, "notes"), "utf8")).toBe("mine");
});

test("what a write that was killed left does not count, and goes with the record", async () => {
  const made = await create("one");
  const half = path.join(records.root, "records/one.json.new");
  await writeFile(half, '{"form');
  expect(await records.get("one")).toEqual(made);
  await remove(made);
  expect(existsSync(records.root)).toBe(false);
});

test("what a first write that was killed left goes with another cluster's record", async () => {
  const made = await create("one");
  await writeFile(path.join(records.root, "records/two.json.new"), "");
  await remove(made);
  expect(existsSync(records.root)).toBe(false);
});

test.each<[string, (record: ClusterRecord) => string]>([
  ["is empty", () => ""],
  ["is cut off", (record) => JSON.stringify(record).slice(0, 40)],
  ["is of another format", (record) => JSON.stringify({ ...record, format: 2 })],
  ["has a field that nobody knows", (record) => JSON.stringify({ ...record, extra: 1 })],
  ["has no id", (record) => JSON.stringify({ ...record, id: "" })],
])("a record that %s is named, and not believed", async (_, broken) => {
  const made = await create("one");
  const file = path.join(records.root, "records/one.json");
  await writeFile(file, broken(made));
  const sentence = new RegExp(
    `^${file} is not the record of a cluster that this version can read; end`,
  );
  await expect(records.get("one")).rejects.toThrow(sentence);
  await expect(create("two")).rejects.toThrow(sentence);
  expect(await records.names()).toEqual(["one"]);
});

test("a record that cannot be read is no obstacle to another", async () => {
  const made = await create("one");
  const copy = path.join(records.root, "records/two.json");
  await writeFile(copy, JSON.stringify(made));
  expect(await records.get("one")).toEqual(made);
  expect(await records.names()).toEqual(["one", "two"]);
  await expect(records.get("two")).rejects.toThrow(`${copy} is not the record of a cluster`);
});

test.each<[string[], string]>([
  [
    [],
    'there is no cluster "none" (nor any other); start it with: npm run cluster -- up --name none',
  ],
  [
    ["a", "b"],
    'there is no cluster "none" (there is: a, b); start it with: npm run cluster -- up --name none',
  ],
])("who asks for one that is not there among %j reads which are", async (names, sentence) => {
  for (const name of names) await create(name);
  await expect(records.get("none")).rejects.toThrow(sentence);
});

function create(name: string): Promise<ClusterRecord> {
  return records.create({ name, level: "api", nodeCount: 0, profile: "fast" }, async (taken) => {
    let number = 100;
    while (taken.has(number)) number++;
    return number;
  });
}

async function remove(record: ClusterRecord): Promise<void> {
  await records.exclusively(() => records.delete(record));
}
