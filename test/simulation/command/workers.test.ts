import { expect, test } from "@jest/globals";
import type { RunResult } from "../run-result.ts";
import { runSeeds, type SeedRange, type SeedsRun } from "./workers.ts";

const base: SeedRange = {
  ...{ first: 1, last: 100, workers: 3, minutes: null, shape: "full", bug: null },
  isEnough: () => false,
  onProgress: () => {},
};

/** Threads whose run of a seed is `body`: it may read `seed` and `result`. */
function runThreads(body: string, range: Partial<SeedRange> = {}): Promise<SeedsRun> {
  const empty: Omit<RunResult, "seed"> = {
    violation: null,
    ending: "goes on",
    steps: 10,
    failovers: 1,
    restarts: 0,
    faults: { cut: 2 },
    coverage: ["primary: tick"],
    simulatedMs: 5,
  };
  const source = `
    import { parentPort } from "node:worker_threads";
    parentPort.on("message", async ({ first, last }) => {
      for (let seed = first; seed <= last; seed++) {
        const result = { ...${JSON.stringify(empty)}, seed };
        ${body}
        parentPort.postMessage({ kind: "ran", result });
      }
      parentPort.postMessage({ kind: "idle" });
    });
    parentPort.postMessage({ kind: "idle" });`;
  const program = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  return runSeeds({ ...base, ...range }, program);
}

const fails = 'result.violation = { checker: "replay", message: "seed " + seed };';

test("every seed is run once, and the results are added up", async () => {
  const { tally } = await runThreads("");
  expect(tally).toMatchObject({
    seeds: 100,
    steps: 1000,
    failovers: 100,
    restarts: 0,
    failures: [],
  });
  expect([...tally.faults]).toEqual([["cut", 200]]);
  expect([...tally.coverage]).toEqual(["primary: tick"]);
});

test("a violation is reported with its seed and does not end the others", async () => {
  const { tally } = await runThreads(`if (seed === 33) { ${fails} }`);
  expect(tally.seeds).toBe(100);
  expect(tally.failures).toEqual([
    { seed: 33, checker: "replay", message: "seed 33", crashed: false },
  ]);
});

test("a thread that dies is a violation of its seed, and the next seeds are run", async () => {
  const death =
    'if (seed === 12) { setTimeout(() => { throw new Error("boom"); }); await new Promise(() => {}); }';
  const { tally } = await runThreads(death);
  expect(tally.seeds).toBe(100);
  expect(tally.failures).toMatchObject([{ seed: 12, checker: "fail-stop", crashed: true }]);
  expect(tally.failures[0]?.message).toContain("boom");
});

test("a thread that ends by itself is a violation of its seed", async () => {
  const { tally } = await runThreads("if (seed === 100) process.exit(3);");
  expect(tally.seeds).toBe(100);
  expect(tally.failures).toMatchObject([{ seed: 100, crashed: true }]);
});

test("the lowest seed that is enough decides, whichever thread is faster", async () => {
  // The first slice, with the lower seed, is much slower.
  const body = `if (seed < 8) await new Promise((go) => setTimeout(go, 20)); if (seed === 5 || seed > 8) { ${fails} }`;
  const { enough } = await runThreads(body, { last: 100_000, isEnough: () => true });
  expect(enough?.seed).toBe(5);
});

test("when time is up no more seeds are dealt, and those done are the first ones", async () => {
  const seen: number[] = [];
  const { tally } = await runThreads(`await new Promise((go) => setTimeout(go, 1)); ${fails}`, {
    last: 4_000_000_000,
    minutes: 0.5 / 60,
    onProgress: ({ failures }) => void seen.push(failures.at(-1)?.seed ?? 0),
  });
  expect(tally.seeds).toBeGreaterThan(0);
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: tally.seeds }, (_, i) => i + 1));
});

test("threads that cannot be loaded are an error, not a result", async () => {
  const program = new URL("data:text/javascript,throw new Error('not there')");
  await expect(runSeeds(base, program)).rejects.toThrow("not there");
});
