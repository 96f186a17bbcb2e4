/** A Linux of the user's own, given by its files: switched on, not begun from a kept boot. */
import path from "node:path";
import { afterEach, expect, jest, test } from "@jest/globals";
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
