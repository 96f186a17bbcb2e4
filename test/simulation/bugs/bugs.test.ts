/** The list of deliberate bugs fits the code and the page that shows it. */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { edited } from "./bug-loader.ts";
import { bugs } from "./bugs.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const named = bugs.map((bug) => [bug.name, bug] as const);

test.each(named)("the code still has the text that '%s' changes, once", (_, bug) => {
  for (const edit of bug.edits) {
    const text = edited(bug.name, edit, read(edit.file));
    expect(text).not.toBe(read(edit.file));
    expect(() => stripTypeScriptTypes(text)).not.toThrow();
  }
});

test.each([0, 2])("a text that is %i times in its file is refused", (times) => {
  const edit = { file: "x.ts", find: "wanted", replace: "" };
  const plant = () => edited("a bug", edit, "wanted ".repeat(times));
  expect(plant).toThrow(`bug "a bug": its text is ${times} times in x.ts, expected once: "wanted"`);
});

test("a replacement is taken as it is, dollar signs and all", () => {
  const edit = { file: "x.ts", find: "b", replace: "$&$1" };
  expect(edited("a bug", edit, "abc")).toBe("a$&$1c");
});

test("there are at least twenty bugs, with names of their own, and each has a checker", () => {
  expect(bugs.length).toBeGreaterThanOrEqual(20);
  expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
  expect(bugs.filter(({ caughtBy }) => caughtBy.length === 0)).toEqual([]);
});

test("docs/simulator.md lists exactly these bugs", () => {
  const rows = [
    ...read("docs/simulator.md").matchAll(/^\| ([^|]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$/gm),
  ];
  const listed = rows.map((row) => row[1]).filter((name) => name !== "bug");
  expect(listed).toEqual(bugs.map(({ name }) => name));
});
