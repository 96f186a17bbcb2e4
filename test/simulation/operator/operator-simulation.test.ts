/** The operator under every kind of fault, as the command runs it, and each deliberate bug in it. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { edited } from "../bugs/bug-loader.ts";
import { operatorBugs } from "./bugs.ts";

const program = fileURLToPath(new URL("../main.ts", import.meta.url));
const root = new URL("../../../", import.meta.url);
const minutes = 60_000;

function sim(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["--no-warnings", program, "--operator", ...args]);
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: stdout.join(""), stderr: stderr.join("") });
    });
  });
}

test(
  "whatever happens to nodes, pods, users and operators, every promise of the operator holds",
  async () => {
    const { code, stdout, stderr } = await sim("--seeds", "400", "--json");
    // Without a result, what it said instead tells why.
    const { violations, seeds, failovers, restarts, endings } = JSON.parse(stdout || "{}");
    expect({ code, violations: violations ?? stderr }).toEqual({ code: 0, violations: [] });
    expect(seeds).toBe(400);
    expect(failovers).toBeGreaterThan(30);
    expect(restarts).toBeGreaterThan(10);
    expect(endings.Running).toBeGreaterThan(200);
  },
  5 * minutes,
);

test(
  "every deliberate bug in the operator is caught by a checker that should catch it",
  async () => {
    const { code, stdout } = await sim("--bugs", "--json");
    const hunts: { name: string; caughtBy: string | null }[] = JSON.parse(stdout).bugs;
    expect(hunts.filter(({ caughtBy }) => caughtBy === null)).toEqual([]);
    expect(hunts.map(({ name }) => name)).toEqual(operatorBugs.map(({ name }) => name));
    expect(code).toBe(0);
  },
  5 * minutes,
);

test("the same seed gives the same trace, byte for byte", async () => {
  const [first, second] = [
    await sim("--seed", "7", "--trace"),
    await sim("--seed", "7", "--trace"),
  ];
  expect(first.stdout.split("\n").length).toBeGreaterThan(50);
  expect(second.stdout).toBe(first.stdout);
});

test.each(operatorBugs.map((bug) => [bug.name, bug] as const))(
  "the code still has the text that '%s' changes, once",
  (_, bug) => {
    const texts = new Map<string, string>();
    for (const edit of bug.edits) {
      const text = texts.get(edit.file) ?? readFileSync(new URL(edit.file, root), "utf8");
      texts.set(edit.file, edited(bug.name, edit, text));
    }
    for (const text of texts.values()) expect(() => stripTypeScriptTypes(text)).not.toThrow();
  },
);

test("docs/simulator.md lists exactly the bugs in the operator", () => {
  const [, page = ""] = readFileSync(new URL("docs/simulator.md", root), "utf8").split(
    "## The operator",
  );
  const rows = [...page.matchAll(/^\| ([^|]+) \| [^|]+ \| \d+ \|$/gm)].map((row) => row[1]);
  expect(rows).toEqual(operatorBugs.map(({ name }) => name));
});

test.each([
  [["--seeds", "many"], 'sim: --seeds is "many"; give a whole number from 1 to 4294967295\n'],
  [["--trace"], "sim: --trace is about one seed; say which with --seed N\n"],
  [["--nothing"], "sim: Unknown option '--nothing'; --help lists the options\n"],
])("%j ends with code 2 and one sentence", async (args, sentence) => {
  expect(await sim(...args)).toEqual({ code: 2, stdout: "", stderr: sentence });
});
