/** The command as a user runs it: seeds, regressions, deliberate bugs, and what it says to nonsense. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { bugs } from "./bugs/bugs.ts";
import { regressions } from "./regressions.ts";

const program = fileURLToPath(new URL("./main.ts", import.meta.url));
const inContinuousIntegration = process.env["CI"] !== undefined;
const minutes = 60_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sim(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ["--no-warnings", program, ...args]);
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

const load = inContinuousIntegration ? ["--minutes", "4"] : ["--seeds", "1..300"];

test(
  "under every kind of fault no checker finds a violation",
  async () => {
    const { code, stdout, stderr } = await sim(...load, "--json");
    // Without a result, what it said instead tells why.
    const { violations, seeds, failovers, faults } = JSON.parse(stdout || "{}");
    expect({ code, violations: violations ?? stderr }).toEqual({ code: 0, violations: [] });
    expect(seeds).toBeGreaterThanOrEqual(300);
    expect(failovers).toBeGreaterThan(seeds / 20);
    expect(Object.keys(faults).length).toBeGreaterThan(10);
  },
  10 * minutes,
);

test.each(regressions.map(({ what, bug }, i) => [what, bug, String(i + 1)] as const))(
  "no more: %s",
  async (_, bug, number) => {
    const { code, stdout } = await sim("--regression", number);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    const broken = await sim("--regression", number, "--bug", bug);
    const { caughtBy = [] } = bugs.find(({ name }) => name === bug) ?? {};
    const checker = /^([a-z -]+): /m.exec(broken.stdout.split("\n").slice(2).join("\n"))?.[1];
    expect({ code: broken.code, caughtBy }).toEqual({
      code: 1,
      caughtBy: expect.arrayContaining([checker]),
    });
  },
);

test(
  "every deliberate bug is caught by a checker that should catch it",
  async () => {
    const { code, stdout } = await sim("--bugs", "--json");
    const hunts: { name: string; caughtBy: string | null }[] = JSON.parse(stdout).bugs;
    expect(hunts.filter(({ caughtBy }) => caughtBy === null)).toEqual([]);
    expect(hunts.map(({ name }) => name)).toEqual(bugs.map(({ name }) => name));
    expect(code).toBe(0);
  },
  5 * minutes,
);

test("the same seed gives the same trace, byte for byte", async () => {
  const [first, second] = [
    await sim("--seed", "7", "--trace"),
    await sim("--seed", "7", "--trace"),
  ];
  expect(first.stdout.split("\n").length).toBeGreaterThan(100);
  expect(second.stdout).toBe(first.stdout);
});

test("a failing seed is shown with what is left of its scenario and how to repeat it", async () => {
  const [bug] = bugs;
  const found = await sim("--bug", bug?.name ?? "", "--seeds", `1..${bug?.seedsMax}`, "--json");
  const { seed } = JSON.parse(found.stdout).bugs[0];
  const { code, stdout } = await sim(
    ...["--seed", String(seed), "--bug", bug?.name ?? "", "--shrunk"],
  );
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /a smaller scenario that fails so \(found in \d+ runs\):\n {4}.*runners on a b/,
  );
});

test.each([
  [["--seeds", "5..1"], 'sim: --seeds is "5..1", which ends before it begins; give 1..5\n'],
  [
    ["--regression", "99"],
    `sim: --regression is "99"; give a whole number from 1 to ${regressions.length}\n`,
  ],
  [["--nothing"], "sim: Unknown option '--nothing'; --help lists the options\n"],
])("%j ends with code 2 and one sentence", async (args, sentence) => {
  expect(await sim(...args)).toEqual({ code: 2, stdout: "", stderr: sentence });
});
