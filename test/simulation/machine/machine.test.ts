import { expect, test } from "@jest/globals";
import { consoleHistoryBytes } from "../../../src/shared/limits.ts";
import type { MachineOutput, SnapshotSource } from "../../../src/vm-runner/machine/machine.ts";
import type { LogEntry, LogInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { ExecutedStep } from "../events.ts";
import { echoesOf, parseConsole } from "./echoes.ts";
import { type MachineOptions, SimulatedMachine } from "./machine.ts";
import { newTarget } from "./snapshot-target.ts";

const start: LogInput = {
  kind: "start",
  seed: new Uint8Array(32).fill(7),
  mac: new Uint8Array(6),
  wallClockMs: 1_700_000_000_000,
};

function typed(writer: number, position: number, text: string): LogInput {
  return { kind: "console", writer, position, bytes: new TextEncoder().encode(text) };
}

function entryOf(index: number, ...inputs: LogInput[]): LogEntry {
  return { index, timeUs: 1_000 * index, inputs };
}

/** Entries with a start, some typing of two writers, and idle time. */
function entries(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, index) => {
    if (index === 0) return entryOf(index, start);
    if (index % 7 === 0) return entryOf(index, typed(1, (index / 7 - 1) * 3, "abc"));
    return index % 10 === 0 ? entryOf(index, typed(2, index / 10 - 1, "C")) : entryOf(index);
  });
}

/** A machine that keeps all that it told about its steps. */
function watched(options: Partial<MachineOptions> = {}) {
  const steps: ExecutedStep[] = [];
  const watch = (step: ExecutedStep) => void steps.push(step);
  return { machine: new SimulatedMachine({ ...options, watch }), steps };
}

function textOf(outputs: readonly MachineOutput[]): string {
  return outputs
    .map((output) => (output.kind === "console" ? new TextDecoder().decode(output.bytes) : ""))
    .join("");
}

function printed(steps: readonly ExecutedStep[]): string {
  return textOf(steps.flatMap(({ outputs }) => outputs));
}

async function restored(source: SnapshotSource, options: Partial<MachineOptions>) {
  const target = await newTarget(options)(source.memoryBytes);
  for (let at = 0; at < source.memoryBytes; at += 10_000) {
    target.write(at, source.read(at, Math.min(10_000, source.memoryBytes - at)));
  }
  return await target.finish(source.devices);
}

test("equal entries give equal outputs, fingerprints and chains at every step", () => {
  const [one, other] = [watched(), watched()];
  for (const { machine } of [one, other]) for (const entry of entries(300)) machine.step(entry);
  expect(one.steps).toHaveLength(300);
  expect(one.steps).toEqual(other.steps);
  expect(printed(one.steps)).toMatch(/^tick \d+ [0-9a-f]+$/m);
  expect(one.machine.wholeFingerprint()).toBe(other.machine.wholeFingerprint());
  expect(one.machine.registers()).toEqual(other.machine.registers());
});

test.each<[string, LogEntry]>([
  ["another time", { index: 1, timeUs: 1_001, inputs: [] }],
  ["another byte", entryOf(1, typed(1, 0, "a"))],
  ["another writer", entryOf(1, typed(2, 0, "b"))],
  ["another position", entryOf(1, typed(1, 1, "b"))],
  ["nothing typed", entryOf(1)],
])("%s makes another state, another chain and other registers", (_, entry) => {
  const [one, other] = [watched(), watched()];
  for (const { machine } of [one, other]) machine.step(entryOf(0, start));
  one.machine.step(entryOf(1, typed(1, 0, "b")));
  other.machine.step(entry);
  expect(other.machine.fingerprint).not.toBe(one.machine.fingerprint);
  expect(other.machine.chain).not.toBe(one.machine.chain);
  expect(other.machine.registers().all).not.toBe(one.machine.registers().all);
  expect(other.steps[0]?.chain).toBe(one.steps[0]?.chain);
});

test("each step names the chain before it, and the first one has none before", () => {
  const { machine, steps } = watched();
  for (const entry of entries(50)) machine.step(entry);
  expect(steps[0]?.parent).toBe(0);
  for (const [i, { chain, parent }] of steps.entries()) {
    expect(parent).toBe(steps[i - 1]?.chain ?? 0);
    expect(chain).not.toBe(parent);
  }
  expect(machine.chain).toBe(steps.at(-1)?.chain);
});

test("control inputs are in the chain and not in the guest, an entry is the same with a snapshot input", () => {
  const hash: LogInput = { kind: "stateHash", snapshot: 0, hash: new Uint8Array(32) };
  const [plain, hashed, moved] = [watched(), watched(), watched()];
  plain.machine.step(entryOf(0));
  hashed.machine.step(entryOf(0, hash));
  moved.machine.step(entryOf(0, { kind: "snapshot" }));
  expect(hashed.machine.fingerprint).toBe(plain.machine.fingerprint);
  expect(hashed.machine.chain).not.toBe(plain.machine.chain);
  expect(moved.machine.fingerprint).toBe(plain.machine.fingerprint);
  expect(moved.machine.chain).toBe(plain.machine.chain);
});

test("a machine that moved prints something else than one that ran on", async () => {
  const [ran, moved] = [watched(), watched()];
  for (const { machine } of [ran, moved]) for (const e of entries(30)) machine.step(e);
  expect(moved.machine.registers()).toEqual(ran.machine.registers());
  await moved.machine.prepareSpare();
  await moved.machine.move();
  expect(moved.machine.registers()).toEqual(ran.machine.registers());
  expect(moved.machine.fingerprint).not.toBe(ran.machine.fingerprint);
  const entry = entryOf(30, typed(1, 12, "x"));
  const outputs = [ran, moved].map(({ machine }) => textOf(machine.step(entry).outputs));
  expect(outputs[0]).toMatch(/^1@12:x:/);
  expect(outputs[0]).not.toBe(outputs[1]);
});

test("a restored machine equals the one that moved, at every later step", async () => {
  const { machine, steps } = watched({ burstBytes: 70_000, timerUs: 3_000 });
  const all = entries(400);
  for (const entry of all.slice(0, 90)) machine.step(entry);
  machine.step({ ...entryOf(90), inputs: [typed(3, 0, "B")] });
  for (let i = 91; i < 98; i++) machine.step(entryOf(i));
  machine.deliver(entryOf(98, typed(3, 1, "xy")));
  const source = machine.moveNow();
  const { chain } = machine;
  const copies: ExecutedStep[] = [];
  const shape = { burstBytes: 70_000, timerUs: 3_000 };
  const copy = await restored(source, { ...shape, watch: (step) => void copies.push(step) });
  if (!(copy instanceof SimulatedMachine)) throw new Error("another kind of machine");
  expect(copy.chain).toBe(chain);
  expect(copy.consoleHistory()).toEqual(machine.consoleHistory());
  steps.length = 0;
  for (const one of [machine, copy]) {
    one.run();
    for (const entry of all.slice(99)) one.step(entry);
  }
  expect(copies).toHaveLength(302);
  expect(copies).toEqual(steps);
  expect(steps[0]?.entry).toEqual(entryOf(98, typed(3, 1, "xy"), { kind: "snapshot" }));
  expect(copy.wholeFingerprint()).toBe(machine.wholeFingerprint());
});

test("what a step tells of its entry has a snapshot if and only if the machine moved", () => {
  const { machine, steps } = watched();
  machine.step(entryOf(0, start, { kind: "snapshot" }));
  machine.deliver(entryOf(1));
  machine.moveNow();
  machine.run();
  machine.step(entryOf(2));
  expect(steps.map(({ entry }) => entry.inputs)).toEqual([[start], [{ kind: "snapshot" }], []]);
});

test("a snapshot stays as it was while the machine runs on, and is not read when let go", () => {
  const machine = new SimulatedMachine();
  for (const entry of entries(20)) machine.step(entry);
  const source = machine.moveNow();
  const before = source.read(0, source.memoryBytes);
  const devices = source.devices.slice();
  for (const entry of entries(200).slice(20)) machine.step(entry);
  expect(machine.memory).not.toEqual(before);
  expect(source.read(0, source.memoryBytes)).toEqual(before);
  expect(source.devices).toEqual(devices);
  source.release();
  expect(() => source.read(0, 1)).toThrow("not read");
});

test("memory that is not what was sent makes another fingerprint at once", async () => {
  const machine = new SimulatedMachine();
  for (const entry of entries(20)) machine.step(entry);
  const source = machine.moveNow();
  const broken = {
    ...source,
    read: (at: number, length: number) => source.read(at, length).fill(1),
  };
  const [good, bad] = [await restored(source, {}), await restored(broken, {})];
  expect(good).toMatchObject({ fingerprint: machine.fingerprint });
  expect(bad).not.toMatchObject({ fingerprint: machine.fingerprint });
});

test("the whole fingerprint finds a byte that changed behind the machine's back", () => {
  const [one, other] = [new SimulatedMachine(), new SimulatedMachine()];
  other.memory[12_345] = 1;
  expect(other.fingerprint).toBe(one.fingerprint);
  expect(other.wholeFingerprint()).not.toBe(one.wholeFingerprint());
});

test("bytes sent again are dropped, and every writer is a stream without a gap", () => {
  const { machine, steps } = watched();
  machine.step(entryOf(0, start));
  machine.step(entryOf(1, typed(1, 0, "abc"), typed(2, 0, "x"), typed(1, 3, "de")));
  machine.step(entryOf(2, typed(1, 1, "bcdef"), typed(2, 0, "x")));
  machine.step(entryOf(3, typed(2, 1, "yz"), typed(1, 0, "abcdef")));
  expect(echoesOf(new TextEncoder().encode(printed(steps)))).toEqual([
    { writer: 1, position: 0, text: "abcde" },
    { writer: 2, position: 0, text: "x" },
    { writer: 1, position: 5, text: "f" },
    { writer: 2, position: 1, text: "yz" },
  ]);
  expect(machine.writerPosition(1)).toBe(6);
  expect(machine.writerPosition(9)).toBe(0);
});

test("an echo that is not printed to its end is not read yet", () => {
  expect(parseConsole("1@0:a:f:1\ntick 5 40\n2@3::0:0\n1@1:b:f")).toEqual([
    { writer: 1, position: 0, text: "a" },
    { writer: 2, position: 3, text: "" },
  ]);
});

test("the guest computes when told so, and then waits for its timer", () => {
  const machine = new SimulatedMachine();
  const idle = [machine.step(entryOf(0, typed(1, 0, "C"))).idle];
  for (let i = 1; i < 60; i++) idle.push(machine.step({ ...entryOf(i), timeUs: i }).idle);
  expect(idle.indexOf(true)).toBe(40);
  expect(machine.run().wakeUs).toBe(4_000 - 59);
});

test("a burst has the bytes that were asked for, in whole lines, and the history keeps the last", () => {
  const { machine, steps } = watched({ burstBytes: 100_001, timerUs: 1e12 });
  machine.step(entryOf(0, typed(1, 0, "B")));
  let index = 1;
  while (!machine.step(entryOf(index, typed(2, index - 1, "q"))).idle) index++;
  const text = printed(steps);
  const rows = text.replaceAll(/^\d+@.*\n/gm, "");
  expect(rows).toHaveLength(100_001);
  expect(parseConsole(text)).toHaveLength(index + 1);
  const { position, bytes } = machine.consoleHistory();
  expect(position).toBe(text.length - consoleHistoryBytes);
  expect(new TextDecoder().decode(bytes)).toBe(text.slice(position));
});

test("the guest powers off after its last output, and a trap makes no step", () => {
  const { machine, steps } = watched();
  const { poweredOff, outputs } = machine.step(entryOf(0, typed(1, 0, "P")));
  expect(poweredOff).toBe(true);
  expect(textOf(outputs)).toMatch(/^1@0:P:/);
  expect(() => machine.step(entryOf(1, typed(1, 1, "T")))).toThrow("divided by zero");
  expect(steps).toHaveLength(1);
});

test("a spare and a move fail when told so, and the machine goes on as it was", async () => {
  const [one, other] = [new SimulatedMachine(), new SimulatedMachine({ fails: () => true })];
  one.failSpare = true;
  await expect(one.prepareSpare()).rejects.toThrow("no memory for a spare");
  await expect(one.move()).rejects.toThrow("there is no spare");
  await other.prepareSpare();
  await expect(other.move()).rejects.toThrow("the copy differs");
  expect(other.spareReady).toBe(true);
  for (const machine of [one, other]) machine.step(entryOf(0, start));
  expect(other.fingerprint).toBe(one.fingerprint);
});
