import { beforeEach, expect, test } from "@jest/globals";
import { type Entry, ObjectCache } from "./object-cache.ts";

let nowMs = 0;
let heard: string[] = [];
let cache: ObjectCache<string>;
const entry = (name: string, value: string, version = "1", vm: string | null = "ns/vm") => {
  const made: Entry<string> = {
    ...{ key: `ns/${name}`, vm, uid: `uid-${name}`, resourceVersion: version, value },
  };
  return made;
};
const values = (vm = "ns/vm") => cache.ofVm(vm).map(({ value }) => value);

beforeEach(() => {
  nowMs = 0;
  heard = [];
  cache = new ObjectCache(
    (before, after) => heard.push(`${before?.value ?? "-"} > ${after?.value ?? "-"}`),
    () => nowMs,
  );
});

test("tells what changed, and nothing of what is said again", () => {
  cache.put(entry("a", "one"));
  cache.put(entry("a", "one", "2"));
  cache.put(entry("a", "two", "3"));
  cache.remove("ns/a");
  cache.remove("ns/a");
  expect(heard).toEqual(["- > one", "one > two", "two > -"]);
  expect(values()).toEqual([]);
});

test("a list takes away what is not in it, of its own namespace alone", () => {
  cache.put(entry("a", "one"));
  cache.put({ ...entry("b", "two"), key: "elsewhere/b" });
  heard = [];
  cache.replace([entry("c", "three")], (key) => key.startsWith("ns/"));
  expect(heard).toEqual(["one > -", "- > three"]);
  expect(cache.get("elsewhere/b")?.value).toBe("two");
});

test("what was written counts before it is heard of, and is told when it is", () => {
  cache.put(entry("a", "one"));
  cache.assume("ns/a", entry("a", "two", "2"));
  cache.assume("ns/b", entry("b", "new", "2"));
  expect(values().sort()).toEqual(["new", "two"]);
  heard = [];
  cache.put(entry("a", "two", "2"));
  cache.put(entry("b", "new", "2"));
  expect(heard).toEqual(["one > two", "- > new"]);
  expect(values().sort()).toEqual(["new", "two"]);
});

test("an assumption ends with the first word about the object", () => {
  cache.put(entry("a", "one"));
  cache.assume("ns/a", entry("a", "two", "2"));
  cache.put(entry("a", "three", "3"));
  expect(cache.get("ns/a")?.value).toBe("three");
  cache.assume("ns/a", undefined);
  expect(values()).toEqual([]);
  cache.remove("ns/a");
  expect(cache.get("ns/a")).toBeUndefined();
});

test("an assumption that nothing is heard of ends by itself", () => {
  cache.assume("ns/a", entry("a", "ghost"));
  expect(values()).toEqual(["ghost"]);
  nowMs = 5_000;
  expect(values()).toEqual([]);
});

test.each([
  ["heard is newer", "10", "9", "uid-a", "heard"],
  ["heard is as new", "9", "9", "uid-a", "heard"],
  ["written is newer", "9", "10", "uid-a", "written"],
  [
    "heard is newer by less than a double tells",
    `9${"0".repeat(20)}1`,
    `9${"0".repeat(21)}`,
    "uid-a",
    "heard",
  ],
  ["heard was made anew", "10", "9", "uid-b", "written"],
  ["heard has no number", "x", "9", "uid-a", "written"],
  ["written has no number", "10", "x", "uid-a", "written"],
] as const)("what was written hides nothing newer: %s", (_, heardVersion, version, uid, value) => {
  cache.put({ ...entry("a", "heard", heardVersion), uid });
  cache.assume("ns/a", entry("a", "written", version));
  expect(values()).toEqual([value]);
});

test("an object that gets another VM's label moves there", () => {
  cache.put(entry("a", "one"));
  cache.put(entry("a", "one", "2", "ns/other"));
  expect([values(), values("ns/other")]).toEqual([[], ["one"]]);
  expect([...cache.vms()]).toEqual(["ns/other"]);
});
