import { expect, test } from "@jest/globals";
import { pause, Rig, recorder, replay, replayed, start, type } from "../../../test/executor-rig.ts";
import { SimulatedMachine } from "../../../test/simulation/machine/machine.ts";
import { decodeBatch } from "../logging-channel/codec.ts";
import type { ExecutorEvent } from "./executor-protocol.ts";

test("says once that the machine exists, before anything else", async () => {
  const rig = await new Rig().turns(3);
  expect(rig.events).toEqual([{ kind: "ready" }]);
});

test("a replayer of the log has the recorder's outputs and its whole state", async () => {
  const primary = await recorder().turns(100);
  await primary.command(type("hello C")).turns(300);
  await pause(primary);
  const backup = await replayed(primary.batches);
  expect(backup.of("diverged")).toEqual([]);
  expect(backup.text).toBe(primary.text);
  expect(primary.text).toContain("hello C");
  expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
});

test("the first entry carries the inputs handed in with the command to record", async () => {
  const primary = await recorder().turns(10);
  const [entry] = decodeBatch(primary.batches[0]?.bytes ?? new Uint8Array()).entries;
  expect(entry?.entry.inputs).toEqual([start]);
  expect(primary.of("live")).toEqual([{ kind: "live", next: 0, printed: 0, announcement: null }]);
});

test("a batch leaves before any output of its steps", async () => {
  const primary = await recorder().command(type("abc"), type("C")).turns(500);
  let recorded = -1;
  for (const event of primary.events) {
    if (event.kind === "recorded") recorded = event.batch.first + event.batch.count - 1;
    if (event.kind === "output") expect(recorded).toBeGreaterThanOrEqual(event.index);
  }
  expect(primary.of("output").length).toBeGreaterThan(3);
});

test("an entry with an input leaves before its step runs", async () => {
  const primary = await recorder().turns(20);
  await primary.command(type("x")).turns(1);
  const last = primary.batches.at(-1);
  const inputs = decodeBatch(last?.bytes ?? new Uint8Array()).entries.at(-1)?.entry.inputs;
  expect(inputs?.[0]?.kind).toBe("console");
  expect(primary.text).not.toContain("x");
  await primary.turns(1);
  expect(primary.text).toContain("x");
});

test("no entry is recorded beyond the allowance, and a blocked recorder shows signs of life", async () => {
  const primary = await recorder()
    .command({ kind: "allowance", through: 9, printed: 1_000_000 }, type("C"))
    .turns(60);
  expect(primary.batches.reduce((sum, { count }) => sum + count, 0)).toBe(10);
  expect(primary.batches.filter(({ count }) => count === 0).length).toBeGreaterThan(3);
  await primary.command({ kind: "allowance", through: 1000, printed: 1_000_000 }).turns(60);
  expect(primary.batches.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(12);
});

test("a guest that prints stops at the position up to which it may print, within one step", async () => {
  const allowance = { kind: "allowance", through: 1_000, printed: 10_000 } as const;
  const primary = await recorder().command(allowance, type("BB")).turns(60);
  const printed = () => primary.of("output").reduce((sum, event) => sum + bytesOf(event), 0);
  expect(printed()).toBeGreaterThanOrEqual(10_000);
  expect(printed()).toBeLessThan(10_000 + 4_500);
  await primary.command({ ...allowance, printed: 100_000 }).turns(60);
  expect(printed()).toBeGreaterThan(16_000);
});

function bytesOf({ output }: ExecutorEvent & { kind: "output" }): number {
  return output.kind === "console" ? output.bytes.length : 0;
}

test("the CPU limit gives the guest its share of time", async () => {
  const share = 0.25;
  const busy = recorder().command({ kind: "cpuLimit", share });
  for (let i = 0; i < 60; i++) {
    busy.command(type("C"));
    await busy.turns(60);
  }
  const recorded = busy.batches.reduce((sum, { count }) => sum + count, 0);
  const ranUs = recorded * 200;
  expect(ranUs / (busy.nowUs - 1_000_000)).toBeLessThan(share * 1.2);
});

test("virtual time follows real time, and after a pause it catches up without a leap", async () => {
  const primary = await recorder().turns(200);
  const timeUs = () => primary.batches.findLast(({ count }) => count > 0)?.timeUs ?? 0;
  expect(Math.abs(timeUs() - (primary.nowUs - 1_000_000))).toBeLessThan(25_000);
  const beforeUs = timeUs();
  primary.nowUs += 1_000_000;
  await primary.turns(8);
  expect(timeUs() - beforeUs).toBeLessThan(100_000);
  while (primary.nowUs < 8_000_000) await primary.turns(10);
  expect(Math.abs(timeUs() - (primary.nowUs - 1_000_000))).toBeLessThan(25_000);
});

test("a backup goes live where the log ends, and both lives go on from the same state", async () => {
  const primary = await recorder().command(type("one")).turns(150);
  await pause(primary);
  const backup = await replayed(primary.batches);
  const recorded = primary.batches.reduce((sum, { count }) => sum + count, 0);
  backup.command({ kind: "record", inputs: [] }, type("two"));
  expect((await backup.until("live")).next).toBe(recorded);
  await backup.turns(200);
  expect(backup.text).toContain("two");
  await pause(backup);
  const third = await replayed([...primary.batches, ...backup.batches]);
  expect(third.of("diverged")).toEqual([]);
  expect(third.machine?.wholeFingerprint()).toBe(backup.machine?.wholeFingerprint());
});

test("a command to record waits until everything received was executed", async () => {
  const primary = await recorder().turns(100);
  await pause(primary);
  const backup = new Rig();
  backup.command({ kind: "record", inputs: [] }, ...replay(primary.batches));
  const { next } = await backup.until("live");
  expect(next).toBe(primary.batches.reduce((sum, { count }) => sum + count, 0));
});

test("a planned hand-over: the paused recorder replays what the other one records next", async () => {
  const first = await recorder().turns(50);
  await pause(first);
  const second = await replayed(first.batches);
  second.command({ kind: "record", inputs: [] }, type("swap"));
  await second.turns(60);
  await pause(second);
  first.command({ kind: "stop" }, ...replay(second.batches));
  await first.turns(300);
  expect(first.of("diverged")).toEqual([]);
  expect(first.machine?.wholeFingerprint()).toBe(second.machine?.wholeFingerprint());
});

test("a paused recorder records again when told so", async () => {
  const primary = await recorder().turns(50);
  await pause(primary);
  await primary.command({ kind: "record", inputs: [] }, type("again")).turns(50);
  expect(primary.text).toContain("again");
  await pause(primary);
  const backup = await replayed(primary.batches);
  expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
});

test("a replayer in another state stops at the first batch, and names the registers", async () => {
  const primary = await recorder().turns(100);
  const other = new SimulatedMachine();
  other.step({ index: 0, timeUs: 1, inputs: [] });
  const backup = await replayed(primary.batches, new Rig(other));
  const [diverged] = backup.of("diverged");
  expect(diverged?.index).toBe(0);
  expect(diverged?.what).toContain("eax");
  expect(backup.of("executed")).toEqual([]);
});

test("a changed byte of memory is found by the window that covers it", async () => {
  const primary = await recorder().turns(2_000);
  const other = new SimulatedMachine();
  other.memory[20_000] = 1;
  const backup = await replayed(primary.batches, new Rig(other));
  expect(backup.of("diverged")).toEqual([
    { kind: "diverged", index: 64, what: "memory window 1 differs" },
  ]);
});

test("a damaged or missing batch stops the replayer", async () => {
  const primary = await recorder().turns(200);
  const batches = primary.batches.filter(({ count }) => count > 0);
  const gap = await replayed(batches.filter((_, i) => i !== 1));
  expect(gap.of("diverged")[0]?.what).toContain("is missing");
  const damaged = batches.map((batch) => ({ ...batch, bytes: batch.bytes.slice() }));
  const bytes = damaged[1]?.bytes ?? new Uint8Array();
  bytes[12] = (bytes[12] ?? 0) ^ 1;
  const broken = await replayed(damaged);
  expect(broken.of("diverged")[0]?.what).toContain("cannot be read");
});

test("power off is logged and its step does not run, on either side", async () => {
  const primary = await recorder().turns(50);
  primary.command({ kind: "input", input: { kind: "powerOff" } });
  const { index } = await primary.until("poweredOff");
  await primary.turns(20);
  const backup = await replayed(primary.batches);
  expect(backup.of("poweredOff")).toEqual([{ kind: "poweredOff", index }]);
  expect(backup.of("executed").at(-1)?.index).toBe(index);
  expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
});

test("a guest that powers itself off ends recording after its last output", async () => {
  const primary = recorder().command(type("P"));
  const { index } = await primary.until("poweredOff");
  const backup = await replayed(primary.batches);
  expect(backup.of("poweredOff")).toEqual([{ kind: "poweredOff", index }]);
  expect(backup.text).toBe(primary.text);
});

test("a trap stops the recorder, and the log reproduces it", async () => {
  const primary = recorder().command(type("T"));
  const trapped = await primary.until("trapped");
  expect(trapped.message).toBe("the guest divided by zero");
  const backup = await replayed(primary.batches);
  expect(backup.of("trapped")).toEqual([trapped]);
});

test("whoever typed learns from the recorder, and only there, how much of it is in the log", async () => {
  const primary = await recorder().command(type("four")).turns(20);
  const accepted = primary.of("output").filter(({ output }) => output.kind === "accepted");
  expect(accepted.at(-1)?.output).toEqual({ kind: "accepted", writer: 1, position: 4 });
  await pause(primary);
  const backup = await replayed(primary.batches);
  expect(backup.of("output").filter(({ output }) => output.kind === "accepted")).toEqual([]);
});

test("typed bytes above the bound are refused, with all after them, and arrive when sent again", async () => {
  const primary = await recorder().turns(5);
  const [fits, above, after] = [type("a".repeat(8 * 1024)), type("bbb"), type("c")];
  primary.command(fits, above, after);
  await primary.turns(3_000);
  const read = () => primary.echoes.map(({ text }) => text).join("");
  expect(read()).toBe("a".repeat(8 * 1024));
  await primary.command(after).turns(20);
  await primary.command(above, after).turns(20);
  expect(read()).toBe(`${"a".repeat(8 * 1024)}bbbc`);
});

test("who types again what the guest has is told so, and costs the log one byte", async () => {
  const primary = recorder();
  const typed = type("a long line that takes several entries");
  await primary.command(typed).turns(50);
  const told = () => primary.of("output").filter(({ output }) => output.kind === "accepted");
  const [before, text] = [told().length, primary.echoes.map((echo) => echo.text).join("")];
  await primary.command(typed).turns(50);
  expect(told().slice(before)).toHaveLength(1);
  expect(told().at(-1)?.output).toEqual(told()[before - 1]?.output);
  expect(primary.echoes.map((echo) => echo.text).join("")).toBe(text);
});

test("what is typed before a backup is live arrives if it continues what the old primary took", async () => {
  const primary = await recorder().command(type("abc")).turns(50);
  await pause(primary);
  const [lost, after] = [type("d"), type("e")];
  for (const [commands, expected] of [
    [[after], "abc"],
    [[lost, after], "abcde"],
  ] as const) {
    const backup = new Rig();
    backup.command(...commands, ...replay(primary.batches), { kind: "record", inputs: [] });
    await backup.turns(200);
    expect(backup.echoes.map(({ text }) => text).join("")).toBe(expected);
  }
});
