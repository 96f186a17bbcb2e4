// Runs the checks and the tests in stages, prints the seconds that each took, and ends with one
// line: how many passed and failed. A failing stage does not hide what the later ones find.
// Runs under the project's own Node; start it with `npm test` or `npm run check`.
//
//   node scripts/stages.mjs [stage …]
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** From fast to slow; a folder of test/ that is not named here comes last. */
const order = [
  ...["checks", "unit", "rules", "conformance", "simulation", "integration"],
  ...[
    "proof",
    "bench",
    "metrics",
    "cluster",
    "cluster build",
    "api",
    "chart",
    "e2e",
    "operator-e2e",
  ],
];
const isCi = process.env.CI === "true";
/** Minutes of a machine of which one is root: by hand with `npm test -- test/e2e`, and so on. */
const onlyOnCi = ["e2e", "operator-e2e"];

const wanted = process.argv.slice(2);
const stages = allStages().filter(([name]) => wanted.length === 0 || wanted.includes(name));
const results = [];
for (const [name, run] of stages) results.push(await timed(name, run));
report(results);

/** Each stage's name, and a function that gives how many passed, failed and were skipped. */
function allStages() {
  const byStage = Map.groupBy([...testFiles("src"), ...testFiles("test")], stageOf);
  const stages = [...byStage].map(([name, files]) => {
    const skips = onlyOnCi.includes(name) && !isCi;
    return [name, () => (skips ? skipStage(name) : runJest(name, files))];
  });
  const place = ([name]) => (order.includes(name) ? order.indexOf(name) : order.length);
  const others = [
    ["checks", runChecks],
    ["cluster build", buildCluster],
  ];
  return [...others, ...stages].sort((a, b) => place(a) - place(b));
}

function testFiles(folder) {
  const names = fs.readdirSync(path.join(root, folder), { recursive: true });
  return names.filter((n) => n.endsWith(".test.ts")).map((n) => path.join(folder, n));
}

function stageOf(file) {
  const [top, next, ...deeper] = file.split(path.sep);
  if (top === "src") return "unit";
  return deeper.length === 0 ? "rules" : next;
}

async function timed(name, run) {
  process.stdout.write(`\n--- ${name}\n`);
  const begin = performance.now();
  const counts = await run();
  const seconds = (performance.now() - begin) / 1000;
  for (const test of counts.skipped) process.stdout.write(`skipped: ${test}\n`);
  return { name, seconds, ...counts };
}

async function runChecks() {
  const checks = [
    ["typescript", "tsc", "-p", "tsconfig.json"],
    ["typescript", "tsc", "-p", "tsconfig.core.json"],
    ["@biomejs/biome", "biome", "check", "--error-on-warnings"],
    ["knip", "knip"],
  ];
  let failed = 0;
  for (const [name, command, ...args] of checks) {
    const ok = (await node([bin(name, command), ...args])) === 0;
    process.stdout.write(`${ok ? "passed" : "FAILED"}: ${command} ${args.join(" ")}\n`);
    if (!ok) failed++;
  }
  return { passed: checks.length - failed, failed, skipped: [] };
}

function skipStage(name) {
  const why = `it needs root and minutes; run it with: npm test -- test/${name}`;
  return { passed: 0, failed: 0, skipped: [`${name} (${why})`] };
}

/**
 * The programs of Kubernetes, and Helm, that the next stages need, and on CI the images: minutes on a
 * machine that has none, nothing where the cache has them. Where they cannot be had, the stages say so by
 * name; on CI that is a failure, unless the machine has no root or no Go to make them with.
 */
async function buildCluster() {
  const levels = isCi ? ["nodes", "fake-nodes"] : ["api"];
  const command = ["--no-warnings", "test/cluster/main.ts", "prepare", "--level", ...levels];
  if ((await node(command)) === 0) return { passed: 1, failed: 0, skipped: [] };
  const mayBuild = process.getuid?.() === 0 && spawnSync("go", ["version"]).status === 0;
  if (isCi && mayBuild) return { passed: 0, failed: 1, skipped: [] };
  return { passed: 0, failed: 0, skipped: ["cluster build (the reason is above)"] };
}

async function runJest(name, files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-tests-"));
  const summary = path.join(folder, "summary.json");
  const flags = ["--json", `--outputFile=${summary}`];
  // What starts processes of its own has the machine to itself.
  if (name !== "unit") flags.push("--runInBand");
  // Seen once: after hundreds of broken connections Node 24 did not end by itself, long after the
  // last test (it spun in the clean-up of handles that were closed already).
  if (name === "integration") flags.push("--forceExit");
  const jest = ["--experimental-vm-modules", "--no-warnings", bin("jest", "jest")];
  const code = await node([...jest, ...flags, "--runTestsByPath", ...files]);
  const counts = readSummary(summary);
  fs.rmSync(folder, { recursive: true });
  // Jest also fails for what is no test, such as a file that does not compile.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function readSummary(file) {
  if (!fs.existsSync(file)) return { passed: 0, failed: 1, skipped: [] };
  const summary = JSON.parse(fs.readFileSync(file, "utf8"));
  const tests = summary.testResults.flatMap((result) => result.assertionResults);
  return {
    passed: summary.numPassedTests,
    failed: summary.numFailedTests + summary.numRuntimeErrorTestSuites,
    skipped: tests.filter((t) => t.status === "pending").map((t) => t.fullName),
  };
}

function report(results) {
  process.stdout.write("\n");
  for (const { name, seconds, passed, failed, skipped } of results) {
    const counts = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
    process.stdout.write(`${name.padEnd(14)} ${seconds.toFixed(1).padStart(7)} s   ${counts}\n`);
  }
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  process.stdout.write(`\n${sum("passed")} passed, ${sum("failed")} failed\n`);
  if (sum("failed") > 0 || results.length === 0) process.exitCode = 1;
}

/** The exit code. Whoever stops this process stops the stage. */
function node(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  const forward = (signal) => {
    child.kill(signal);
    process.exitCode = 128 + os.constants.signals[signal];
  };
  process.once("SIGTERM", forward).once("SIGHUP", forward);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      process.off("SIGTERM", forward).off("SIGHUP", forward);
      resolve(code ?? 1);
    });
  });
}

/** The script of a package's command, as its package.json names it. */
function bin(name, command) {
  const folder = path.join(root, "node_modules", name);
  const { bin: entry } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof entry === "string" ? entry : entry[command]);
}
