/** One process at a time builds, and a killed one blocks nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  type ClaimOptions,
  claimName,
  newClaimant,
  startTimeOf,
  whileAlone,
} from "./build-claim.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "build-claim-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function options(changes: Partial<ClaimOptions> = {}): Promise<ClaimOptions> {
  const self = await newClaimant();
  return { self, startTimeOf, onWait: () => {}, waitMsMax: 30_000, ...changes };
}

test("of many that want to build at once, one builds at a time, and all get to it", async () => {
  let building = 0;
  let most = 0;
  let done = 0;
  const work = async () => {
    building += 1;
    most = Math.max(most, building);
    for (let i = 0; i < 20; i += 1) await turn();
    building -= 1;
    done += 1;
  };
  await Promise.all(
    Array.from({ length: 8 }, async () => await whileAlone(folder, await options(), work)),
  );
  expect([most, done]).toEqual([1, 8]);
  expect(await readdir(folder)).toEqual([]);
});

test("work that fails gives up its claim, and the failure is told", async () => {
  const fail = async () => await Promise.reject(new Error("no compiler"));
  await expect(whileAlone(folder, await options(), fail)).rejects.toThrow("no compiler");
  expect(await readdir(folder)).toEqual([]);
});

test("a claim is waited for while its process lives, and taken over when that is killed", async () => {
  const child = spawn("sleep", ["600"]);
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error("sleep has no process id");
  const startTime = (await startTimeOf(pid)) ?? "";
  await writeFile(path.join(folder, claimName({ pid, startTime, token: "a-b" })), "");
  let waits = 0;
  const onWait = (owner: { readonly pid: number }) => {
    expect(owner.pid).toBe(pid);
    waits += 1;
    if (waits === 2) child.kill("SIGKILL");
  };
  const result = await whileAlone(folder, await options({ onWait }), async () => "built");
  expect(result).toEqual({ result: "built" });
  expect(waits).toBeGreaterThanOrEqual(2);
  expect(await readdir(folder)).toEqual([]);
});

test("another process with a dead owner's id is not taken for the owner", async () => {
  const name = claimName({ pid: process.pid, startTime: "1", token: "a" });
  await writeFile(path.join(folder, name), "");
  const onWait = () => {
    throw new Error("waited for a dead process");
  };
  const result = await whileAlone(folder, await options({ onWait }), async () => "built");
  expect(result).toEqual({ result: "built" });
});

test("the wait has a bound", async () => {
  const owner = claimName(await newClaimant());
  await writeFile(path.join(folder, owner), "");
  const work = async () => "built";
  expect(await whileAlone(folder, await options({ waitMsMax: 50 }), work)).toBeNull();
  expect(await readdir(folder)).toEqual([owner]);
});
