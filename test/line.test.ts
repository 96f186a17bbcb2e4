/** The line between what is deterministic and what does I/O is held by the compiler. */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

const root = fileURLToPath(new URL("../", import.meta.url));
const core: { include: string[] } = JSON.parse(
  readFileSync(path.join(root, "tsconfig.core.json"), "utf8"),
);
let folder: string;

// Inside the project, so that its packages are found as they are for a real file.
beforeEach(() => {
  folder = mkdtempSync(path.join(root, "node_modules", ".line-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  ["imports node:os", 'import os from "node:os"; export const n = os.cpus();', "TS2591"],
  ["calls setTimeout", "setTimeout(() => {}, 1);\nexport {};", "TS2304"],
  ["reads the environment", 'export const home = process.env["HOME"];', "TS2591"],
  ["uses a Buffer", "export const b = Buffer.alloc(1);", "TS2591"],
  ["prints", 'console.log("x");\nexport {};', "TS2584"],
])("a core file that %s does not compile", (_, source, code) => {
  const result = compile(source);
  expect(result.output).toContain(`error ${code}`);
  expect(result.status).not.toBe(0);
});

test("a core file that only computes compiles", () => {
  expect(compile("export const double = (n: number) => 2 * n;")).toEqual({ status: 0, output: "" });
});

test("every file below a core folder is compiled as one", () => {
  const listed = tsc(["-p", path.join(root, "tsconfig.core.json"), "--listFilesOnly"]).output;
  const compiled = new Set(listed.split("\n").map((file) => path.relative(root, file)));
  const expected = core.include.filter((p) => existsSync(path.join(root, p))).flatMap(sources);
  expect(expected.length).toBeGreaterThan(10);
  expect(expected.filter((file) => !compiled.has(file))).toEqual([]);
});

test("the core's compilation reaches no file that may do I/O", () => {
  const listed = tsc(["-p", path.join(root, "tsconfig.core.json"), "--listFilesOnly"]).output;
  const own = listed
    .split("\n")
    .map((file) => path.relative(root, file))
    .filter((file) => file.startsWith("src"));
  const inside = (file: string) => core.include.some((p) => file === p || file.startsWith(`${p}/`));
  expect(own.filter((file) => !inside(file))).toEqual([]);
  expect(listed).not.toContain("@types/node");
});

function sources(place: string): string[] {
  if (statSync(path.join(root, place)).isFile()) return [place];
  return readdirSync(path.join(root, place), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => path.join(place, name));
}

/** Compiles one file with the settings of the core. */
function compile(source: string): { status: number | null; output: string } {
  writeFileSync(path.join(folder, "core.ts"), source);
  const config = { extends: path.join(root, "tsconfig.core.json"), include: ["core.ts"] };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ ...config, exclude: [] }));
  return tsc(["-p", folder]);
}

function tsc(args: string[]): { status: number | null; output: string } {
  const script = path.join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  return { status, output: stdout };
}
