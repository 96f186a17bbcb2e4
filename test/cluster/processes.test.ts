/** Processes are found by what they carry, all of them, and nobody else's. */

import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { findProcesses, killProcesses, killUntilGone, startProcess } from "./processes.ts";

let folder: string;
let ids: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "processes-"));
  ids = [];
});

afterEach(async () => {
  for (const id of ids) await killUntilGone("a test's processes", () => findProcesses(id));
  await rm(folder, { recursive: true, force: true });
});

test("a process is found with its role and its program's name, and is nobody's child to wait for", async () => {
  const id = newId();
  const pid = await start(id, ["sleep", "60"], "etcd");
  expect(await programs(id, "sleep")).toEqual([
    { pid, role: "etcd", program: "sleep", isFirstOfNode: false, started: expect.any(String) },
  ]);
  const status = await readFile(`/proc/${pid}/stat`, "utf8");
  // Session and process group are its own: a terminal's Ctrl-C is not for it.
  expect(status.slice(status.lastIndexOf(")")).split(" ").slice(3, 5)).toEqual([
    `${pid}`,
    `${pid}`,
  ]);
});

test("its children, and theirs, are its cluster's as well, whoever of them still lives", async () => {
  const id = newId();
  await start(id, ["sh", "-c", "(sleep 60 & sleep 61 & wait) & sleep 62 & exit 0"]);
  const left = await programs(id, "sleep", 3);
  expect(left.map(({ role }) => role)).toEqual(["test", "test", "test"]);
});

test("all are killed until none is left, and a process of another cluster is not touched", async () => {
  const [mine, foreign] = [newId(), newId()];
  await start(mine, ["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 60; done"]);
  const bystander = await start(foreign, ["sleep", "60"]);
  await programs(mine, "sleep");
  await killUntilGone("mine", () => findProcesses(mine));
  expect(findProcesses(mine)).toEqual([]);
  expect(findProcesses(foreign).map(({ pid }) => pid)).toEqual([bystander]);
});

test("what keeps making processes is gone as well in the end", async () => {
  const id = newId();
  await start(id, [
    "sh",
    "-c",
    "for i in $(seq 50); do sh -c 'sleep 60 & sleep 60' & sleep 0.02; done; wait",
  ]);
  await programs(id, "sleep", 4);
  await killUntilGone("the makers", () => findProcesses(id));
  expect(findProcesses(id)).toEqual([]);
});

test("a process in the midst of exec is never missed", async () => {
  const id = newId();
  const script = path.join(folder, "again.sh");
  await writeFile(script, 'exec sh "$0"\n');
  const pids = await Promise.all([1, 2, 3].map(() => start(id, ["sh", script])));
  for (let scans = 0; scans < 100; scans++) {
    expect(findProcesses(id).map(({ pid }) => pid)).toEqual(pids.sort((a, b) => a - b));
  }
});

test("an id is compared whole", async () => {
  const id = newId();
  await start(id, ["sleep", "60"]);
  await programs(id, "sleep");
  expect(findProcesses(id.slice(0, -1))).toEqual([]);
  expect(findProcesses(`${id}0`)).toEqual([]);
});

test("what a process prints is in its log, and of the user's environment it sees only where programs are", async () => {
  const id = newId();
  process.env["LOCKSTEP_TEST_MARK"] = "seen";
  try {
    await start(id, ["sh", "-c", "echo printed; env; echo complained >&2"], "test", {
      OWN: "given",
    });
  } finally {
    delete process.env["LOCKSTEP_TEST_MARK"];
  }
  const log = await until("the log", async () => {
    const text = await readFile(path.join(folder, "log"), "utf8");
    return text.includes("complained") ? text : null;
  });
  expect(log).toMatch(/^printed\n/);
  expect(log).toMatch(/^OWN=given$/m);
  expect(log).not.toContain("LOCKSTEP_TEST_MARK");
});

test("a program that cannot be run is said in a sentence", async () => {
  await expect(start(newId(), ["no-such-program"])).rejects.toThrow(
    /^cannot run no-such-program: .*ENOENT/,
  );
});

/** Of no process: a number that the kernel gives to none. */
const nobody = {
  pid: 2 ** 22 + 1,
  role: "etcd",
  program: "etcd",
  isFirstOfNode: false,
  started: "1",
};

test("what was killed is over when it is gone: its port can be taken at once", async () => {
  for (let round = 0; round < 3; round++) {
    const id = newId();
    // The kernel frees the memory first, and meanwhile the process has no environment any more.
    const script =
      "globalThis.memory = Buffer.alloc(4e8, 1); require('net').createServer().listen(12399, '127.77.77.77')";
    await start(id, [process.execPath, "-e", script]);
    await until("the port to be taken", async () => ((await isPortFree()) ? null : true));
    await killUntilGone("it", () => findProcesses(id));
    expect(await isPortFree()).toBe(true);
  }
}, 60_000);

function isPortFree(): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(12_399, "127.77.77.77", () => server.close(() => resolve(true)));
  });
}

test("what does not end is named after the bound", async () => {
  const stubborn = nobody;
  await expect(killUntilGone("one", () => [stubborn], { timeoutMs: 50 })).rejects.toThrow(
    `one: etcd (${stubborn.pid}) did not end within 0.05 s of SIGKILL`,
  );
});

test("one that has ended meanwhile is nobody's loss", () => {
  killProcesses([nobody]);
});

function newId(): string {
  const id = randomUUID();
  ids.push(id);
  return id;
}

function start(
  id: string,
  command: readonly [string, ...string[]],
  role = "test",
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  return startProcess({ id, role, command, env, logFile: path.join(folder, "log") });
}

/** Those of this name, once there are so many. */
function programs(id: string, program: string, countMin = 1) {
  return until(`${countMin} of ${program}`, () => {
    const found = findProcesses(id).filter((one) => one.program === program);
    return found.length >= countMin ? found : null;
  });
}
