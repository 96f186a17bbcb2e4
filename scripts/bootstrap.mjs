// The way from a bare checkout to a running Lockstep, for any Node from 18 on and without any
// dependency: install what the lock file names (only when it changed: `npm ci` would delete
// node_modules under a running pair), build `dist/` (only when a source changed), then hand over
// to the project's own Node.
//
//   node scripts/bootstrap.mjs TASK [arguments]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const lockWaitMs = 600_000;

const tasks = {
  lockstep: (args) => [[runLockstep(args)]],
  demo: (args) => [[runLockstep(["demo", ...args])]],
  build: () => [],
  bench: (args) => [[node(["bench/main.ts", ...args])]],
  sim: (args) => [[node(["--no-warnings", "test/simulation/main.ts", ...args])]],
  proof: (args) => [[node(["--no-warnings", "test/proof/main.ts", ...args])]],
  cluster: (args) => [[node(["--no-warnings", "test/cluster/main.ts", ...args])]],
  generate: (args) => [[node(["--no-warnings", "scripts/crd/main.ts", ...args])]],
  check: () => [[node(["scripts/stages.mjs", "checks"])]],
  test: (args) => [[args.length > 0 ? jest(args) : node(["scripts/stages.mjs"])]],
};

main(process.argv.slice(2));

function main([task, ...args]) {
  const plan = Object.hasOwn(tasks, task ?? "") ? tasks[task] : undefined;
  if (plan === undefined) {
    fail(`unknown task "${task ?? ""}"; expected one of ${Object.keys(tasks).join(", ")}`);
  }
  requirePlatform();
  withLock(() => {
    install();
    // What is generated may be what the sources lack.
    if (task !== "generate") build();
  });
  runAll(plan(args).flat());
}

function requirePlatform() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 18) {
    fail(`Node ${process.versions.node} is too old to start with; install Node 18 or newer`);
  }
  if (os.platform() !== "linux" || !["x64", "arm64"].includes(os.arch())) {
    fail(`Lockstep runs on Linux x64 or arm64; this is ${os.platform()} ${os.arch()}`);
  }
}

function projectNode() {
  return path.join(root, "node_modules", `node-linux-${os.arch()}`, "bin", "node");
}

/** Installs the locked packages, unless the installed ones already belong to this lock file. */
function install() {
  const lock = fs.readFileSync(path.join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const stamp = path.join(root, "node_modules", ".lockstep-installed");
  if (readIfThere(stamp) === wanted && fs.existsSync(projectNode())) return;
  note("installing packages (npm ci) …");
  runSync("npm", ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]);
  if (!fs.existsSync(projectNode())) {
    fail(`npm did not install node-linux-${os.arch()}; run npm without --omit=optional`);
  }
  fs.writeFileSync(stamp, wanted);
}

/** Compiles src/ to dist/, unless dist/ was made from exactly these sources. */
function build() {
  const dist = path.join(root, "dist");
  const wanted = sourceHash();
  const stamp = path.join(dist, ".lockstep-built");
  if (readIfThere(stamp) === wanted) return;
  note("building …");
  fs.rmSync(dist, { recursive: true, force: true });
  runSync(projectNode(), [bin("typescript", "tsc"), "-p", "tsconfig.build.json"]);
  fs.writeFileSync(stamp, wanted);
}

function sourceHash() {
  const hash = createHash("sha256");
  const inputs = ["package-lock.json", "tsconfig.base.json", "tsconfig.build.json"];
  for (const file of [...inputs, ...filesBelow("src")]) {
    hash.update(`${file}\0`).update(fs.readFileSync(path.join(root, file)));
  }
  return hash.digest("hex");
}

function filesBelow(folder) {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(name) : [name];
    })
    .filter((name) => !name.endsWith(".test.ts"))
    .sort();
}

function jest(args) {
  return node(["--experimental-vm-modules", "--no-warnings", bin("jest", "jest"), ...args]);
}

function runLockstep(args) {
  return node(["dist/cli/main.js", ...args]);
}

function node(args) {
  return { command: projectNode(), args };
}

/** The script of a package's command, as its package.json names it. */
function bin(name, command) {
  const folder = path.join(root, "node_modules", name);
  const { bin: entry } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof entry === "string" ? entry : entry[command]);
}

/** Runs the commands one after the other; the first that fails gives the exit code. */
function runAll([next, ...rest]) {
  if (next === undefined) return;
  const cwd = next.args[0]?.startsWith("dist/") ? process.cwd() : root;
  const args = next.args.map((a, i) => (i === 0 && a.startsWith("dist/") ? path.join(root, a) : a));
  const child = spawn(next.command, args, { cwd, stdio: "inherit", env: childEnvironment() });
  const forward = (signal) => child.kill(signal);
  process.on("SIGTERM", forward).on("SIGHUP", forward).on("SIGINT", ignore);
  child.on("error", (error) => fail(`cannot run ${next.command}: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.off("SIGTERM", forward).off("SIGHUP", forward).off("SIGINT", ignore);
    if (code === 0) return runAll(rest);
    process.exitCode = code ?? 128 + os.constants.signals[signal];
  });
}

/** The terminal sends SIGINT to the whole group: the child decides, and its exit code is ours. */
function ignore() {}

/** Scripts that start "node" get the project's own. */
function childEnvironment() {
  return { ...process.env, PATH: `${path.dirname(projectNode())}:${process.env.PATH ?? ""}` };
}

function runSync(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env: childEnvironment(),
  });
  if (error) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) fail(`${path.basename(command)} failed with exit code ${status}`);
}

/** One set-up at a time: two commands started together would install into the same folder. */
function withLock(work) {
  const lock = path.join(root, ".bootstrap.lock");
  const deadline = Date.now() + lockWaitMs;
  while (!tryLock(lock)) {
    if (Date.now() > deadline) fail(`another set-up still runs; if not, remove ${lock}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  const release = () => fs.rmSync(lock, { force: true });
  process.once("exit", release);
  work();
  process.off("exit", release);
  release();
}

function tryLock(lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") fail(`cannot write ${lock}: ${error.message}`);
    const owner = Number(readIfThere(lock));
    if (owner > 0 && !isRunning(owner)) fs.rmSync(lock, { force: true });
    return false;
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function note(text) {
  process.stderr.write(`lockstep: ${text}\n`);
}

function fail(text) {
  note(text);
  process.exit(1);
}
