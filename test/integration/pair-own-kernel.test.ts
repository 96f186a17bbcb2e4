/** Guests that are switched on, and do not begin from a kept boot: the user's own, or with none kept. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, expect, jest, test } from "@jest/globals";
import { cacheDirectory } from "../../src/platform/cache-directory.ts";
import { run } from "../cluster/run-program.ts";
import { ConsoleJudge } from "./pair-console.ts";
import { PairProcesses } from "./pair-processes.ts";

jest.setTimeout(240_000);

let pair: PairProcesses;
let console: ConsoleJudge;

afterEach(async () => {
  console.close();
  await pair.stop();
});

test("a user's own kernel boots in a pair, and its boot survives the primary's death", async () => {
  const printed = await run("bash", ["guest/build.sh", "default"], { timeoutMs: 120_000 });
  const built = printed.trim().split("\n").at(-1) ?? "";
  const guest = {
    kernel: path.join(built, "vmlinuz"),
    initrd: path.join(built, "initrd.gz"),
    commandLine: "console=ttyS0 tsc=reliable lockstep.test=mine",
  };
  pair = await PairProcesses.create({ guest, memoryMiB: 128 });
  console = new ConsoleJudge(pair);
  const { primary, backup } = await pair.startPair();
  // Without "quiet" the kernel tells how far it is: it dies in the midst of its boot.
  await console.untilShown(/Linux version .*\r\n/);
  expect(console.shown).not.toContain("GUEST-UP");
  await primary.process.kill();
  await pair.untilAlone(backup);
  await console.untilShown(/GUEST-UP/);
  console.type("cat /proc/cmdline; seq 1 200000 | md5sum\n");
  // What it prints on any other computer.
  await console.untilShown(/0e10426a1d5bddffcef02f1345787128/);
  expect(console.shown).toContain(`\n${guest.commandLine}\r\n`);
  expect(console.problems).toEqual([]);
  expect(await pair.record()).toMatchObject({ primary: backup.nonce, takeovers: 1 });
});

test("the default guest boots as it runs where its boot can be kept nowhere", async () => {
  pair = await PairProcesses.create({ guest: "default", memoryMiB: 128 });
  console = new ConsoleJudge(pair);
  const cache = path.join(pair.folder, "cache");
  await mkdir(cache);
  await symlink(path.join(cacheDirectory(), "guest"), path.join(cache, "guest"));
  // Nothing can be made below a file, whoever tries.
  await writeFile(path.join(cache, "boot"), "");
  const runner = pair.startRunner(pair.places[0], { env: { LOCKSTEP_CACHE: cache } });
  await pair.untilAlone(runner);
  await console.untilShown(/GUEST-UP/);
  expect(runner.process.stderr).toContain(`no boot of this guest is kept in ${cache}/boot`);
});
