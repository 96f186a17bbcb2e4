/** One at a time among processes, whatever happens to them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pause } from "../../bench/waiting.ts";
import { withMachineLock } from "./machine-lock.ts";

const lockModule = fileURLToPath(new URL("./machine-lock.ts", import.meta.url));
const holderProgram = `
import { withMachineLock } from ${JSON.stringify(lockModule)};
await withMachineLock(process.argv[1], async () => {
  process.stdout.write("held");
  await new Promise((resolve) => process.stdin.once("data", resolve));
});
process.stdout.write("done");
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "machine-lock-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("of many who want it at the same time, one has it", async () => {
  let inside = 0;
  const most: number[] = [];
  const turns = Array.from({ length: 8 }, (_, turn) =>
    withMachineLock(folder, async () => {
      inside++;
      await pause(5);
      most.push(inside);
      inside--;
      return turn;
    }),
  );
  expect(await Promise.all(turns)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(most).toEqual(most.map(() => 1));
});

test("who fails gives it back, and the failure is his caller's", async () => {
  const failing = withMachineLock(folder, () => Promise.reject(new Error("no luck")));
  await expect(failing).rejects.toThrow("no luck");
  expect(await withMachineLock(folder, async () => "mine")).toBe("mine");
});

test("another process waits until the holder is done", async () => {
  const events: string[] = [];
  const holder = await holdingProcess();
  const mine = withMachineLock(folder, async () => {
    events.push("mine");
  });
  await pause(300);
  events.push("holder ends");
  holder.stdin.end("go");
  await mine;
  expect(events).toEqual(["holder ends", "mine"]);
});

test("a holder that is killed has it no longer", async () => {
  const holder = await holdingProcess();
  const mine = withMachineLock(folder, async () => "mine");
  holder.kill("SIGKILL");
  expect(await mine).toBe("mine");
});

test("a place that cannot be locked is said in a sentence, at once", async () => {
  await expect(
    withMachineLock(path.join(folder, "no", "such"), async () => "mine"),
  ).rejects.toThrow(/^cannot lock .*\/no\/such: .*No such file/);
});

/** A process that holds the lock until it can read something. */
async function holdingProcess() {
  const flags = ["--no-warnings", "--input-type=module", "--eval", holderProgram];
  const holder = spawn(process.execPath, [...flags, folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [text] = await once(holder.stdout.setEncoding("utf8"), "data");
  expect(text).toBe("held");
  return holder;
}
