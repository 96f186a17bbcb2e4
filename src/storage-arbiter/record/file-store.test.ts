import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { RecordRequest } from "../../shared/protocol/record.ts";
import { FileStore } from "./file-store.ts";
import { MemoryStore } from "./memory-store.ts";
import { nodeDisk } from "./node-disk.ts";

const vm = "vm-1";
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "records-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a file store answers like the store in memory, also after it was opened again", async () => {
  const memory = new MemoryStore();
  const requests: RecordRequest[] = [
    { kind: "start", vm, runner: "a", epoch: 0 },
    { kind: "create", vm },
    { kind: "create", vm },
    { kind: "start", vm, runner: "a", epoch: 0 },
    { kind: "pair", vm, runner: "a", backup: "b", epoch: 1 },
    { kind: "takeover", vm, runner: "b", epoch: 2 },
    { kind: "alone", vm, runner: "a", epoch: 2 },
    { kind: "takeover", vm, runner: "b", epoch: 2 },
    { kind: "stop", vm, runner: "b", epoch: 3 },
  ];
  for (const request of requests) {
    expect(new FileStore(directory, nodeDisk).apply(request)).toEqual(memory.apply(request));
    expect(new FileStore(directory, nodeDisk).read(vm)).toEqual(memory.read(vm));
  }
});

test("every epoch keeps its own file and nothing else stays behind", async () => {
  const store = storeAtEpoch(2);
  store.apply({ kind: "alone", vm, runner: "b", epoch: 2 });
  expect((await readdir(path.join(directory, vm))).sort()).toEqual([
    "record.0",
    "record.1",
    "record.2",
  ]);
});

test("epoch 10 comes after epoch 9", async () => {
  const store = storeAtEpoch(11);
  expect(store.read(vm)).toMatchObject({ epoch: 11, primary: "a" });
});

const damages: [string, (text: string) => string][] = [
  ["empty", () => ""],
  ["torn", (text) => text.slice(0, text.length / 2)],
  ["without its last byte", (text) => text.slice(0, -1)],
  ["with another primary", (text) => text.replace('"primary":"a"', '"primary":"x"')],
  ["of another epoch", (text) => text.replace('"epoch":2', '"epoch":1')],
  ["of another format", (text) => text.replace('"formatVersion":1', '"formatVersion":2')],
];
test.each(damages)(
  "a newest record that is %s stops everything and is named",
  async (_, damage) => {
    const store = storeAtEpoch(2);
    const file = path.join(directory, vm, "record.2");
    await writeFile(file, damage(await readFile(file, "utf8")));
    for (const attempt of [
      () => store.read(vm),
      () => store.apply({ kind: "alone", vm, runner: "a", epoch: 2 }),
      () => store.apply({ kind: "alone", vm, runner: "a", epoch: 1 }),
    ]) {
      expect(errorOf(attempt)).toMatchObject({
        code: "corrupt record",
        message: expect.stringContaining(file),
      });
    }
  },
);

test("a record file moved under another VM's name is refused", async () => {
  storeAtEpoch(0);
  await mkdir(path.join(directory, "vm-2"));
  const text = await readFile(path.join(directory, vm, "record.0"), "utf8");
  await writeFile(path.join(directory, "vm-2", "record.0"), text);
  expect(errorOf(() => new FileStore(directory, nodeDisk).read("vm-2"))).toMatchObject({
    code: "corrupt record",
  });
});

test.each(["", ".", "..", "../x", "a/b", "/etc", "a\0b", ".hidden", "x".repeat(65)])(
  "a VM id cannot leave the directory: %j",
  async (bad) => {
    const store = new FileStore(directory, nodeDisk);
    expect(errorOf(() => store.read(bad))).toMatchObject({ code: "bad VM id" });
    expect(errorOf(() => store.apply({ kind: "create", vm: bad }))).toMatchObject({
      code: "bad VM id",
    });
    expect(await readdir(directory)).toEqual([]);
  },
);

test("a directory that is not there is an error, not a missing record", async () => {
  const store = new FileStore(path.join(directory, "gone"), nodeDisk);
  expect(errorOf(() => store.apply({ kind: "create", vm }))).toMatchObject({
    code: "unusable directory",
  });
});

test("of many processes that ask at the same epoch exactly one is granted it", async () => {
  const rounds = 20;
  const store = new FileStore(directory, nodeDisk);
  store.apply({ kind: "create", vm });
  const runners = ["r0", "r1", "r2", "r3", "r4", "r5"];
  const granted = (await Promise.all(runners.map((r) => race(r, rounds)))).flat();
  for (let epoch = 0; epoch < rounds; epoch++) {
    expect(granted.filter((g) => g.epoch === epoch)).toHaveLength(1);
  }
  for (const { epoch, runner } of granted) {
    const text = await readFile(path.join(directory, vm, `record.${epoch + 1}`), "utf8");
    expect(JSON.parse(text).record.primary).toBe(runner);
  }
}, 120_000);

/** A process of its own that asks `restart` for itself at each epoch; the epochs it was granted. */
async function race(runner: string, rounds: number): Promise<{ epoch: number; runner: string }[]> {
  const sourceOf = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    const { FileStore } = await import(${sourceOf("./file-store.ts")});
    const { nodeDisk } = await import(${sourceOf("./node-disk.ts")});
    const store = new FileStore(${JSON.stringify(directory)}, nodeDisk);
    const granted = [];
    for (let epoch = 0; epoch < ${rounds}; epoch++) {
      while ((store.read("${vm}")).epoch < epoch) {}
      const outcome = store.apply(
        { kind: "restart", vm: "${vm}", runner: "${runner}-" + epoch, epoch, bothProvenGone: true });
      if (outcome.kind === "granted") granted.push({ epoch, runner: "${runner}-" + epoch });
    }
    process.stdout.write(JSON.stringify(granted));`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(code).toBe(0);
  return JSON.parse(output);
}

function storeAtEpoch(epoch: number): FileStore {
  const store = new FileStore(directory, nodeDisk);
  store.apply({ kind: "create", vm });
  if (epoch > 0) store.apply({ kind: "start", vm, runner: "a", epoch: 0 });
  for (let e = 1; e < epoch; e++) store.apply({ kind: "alone", vm, runner: "a", epoch: e });
  return store;
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
