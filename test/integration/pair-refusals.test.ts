/** What a runner does with bad input: one sentence, a documented exit code, nothing left behind. */

import dgram from "node:dgram";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createKeyFile } from "../../src/platform/key-file.ts";
import { freePort } from "./pair-ports.ts";
import { PairProcesses, type RunnerChanges, type TestRunner } from "./pair-processes.ts";

jest.setTimeout(180_000);

let pair: PairProcesses;
let primary: TestRunner;

/** One primary for all: whoever is refused must leave it as it is. */
beforeAll(async () => {
  pair = await PairProcesses.create();
  primary = pair.startRunner(pair.places[0]);
  await pair.untilAlone(primary);
});

afterAll(async () => {
  expect(await primary.status()).toMatchObject({ live: true, epoch: 1, backup: null });
  await pair.stop();
});

const unusable: readonly [string, RunnerChanges, RegExp][] = [
  ["an unknown option", { more: ["--turbo"] }, /unknown option '--turbo'/],
  [
    "too little memory",
    { memory: "1" },
    /'1' is invalid\. expected an even number of MiB from \d+/,
  ],
  ["too much memory", { memory: "65536" }, /'65536' is invalid\. expected an even number of MiB/],
  ["memory that is no number", { memory: "lots" }, /'lots' is invalid\. expected an even number/],
  ["a VM id with a slash", { vm: "a/b" }, /'a\/b' is invalid\. expected 1 to 64 letters/],
  [
    "an address without a port",
    { peer: "127.0.0.1" },
    /'127\.0\.0\.1' is invalid\. expected host:port/,
  ],
  [
    "a guest that is not there",
    { guest: "/nowhere" },
    /no guest at \/nowhere: ENOENT.*guest\.json/,
  ],
  [
    "a kernel and a guest",
    { more: ["--kernel", "/boot/vmlinuz"] },
    /option '--kernel <file>' cannot be used with option '--guest <guest>'/,
  ],
  [
    "an initrd without its kernel",
    { more: ["--initrd", "/boot/initrd.img"] },
    /--initrd "\/boot\/initrd\.img" makes no guest; give --kernel and --initrd together/,
  ],
  [
    "a kernel that is not there",
    { guest: { kernel: "/nowhere/vmlinuz", initrd: "/dev/null", commandLine: "quiet" } },
    /boot\.kernel cannot be read: ENOENT.*\/nowhere\/vmlinuz.*give a readable file/,
  ],
  [
    "a kernel that is none",
    { guest: { kernel: "/etc/passwd", initrd: "/dev/null", commandLine: "quiet" } },
    /boot\.kernel is not a Linux kernel for x86 \(bzImage\); give the file/,
  ],
  ["a key file that is not there", { key: "/nowhere/key" }, /cannot read key file \/nowhere\/key/],
];

test.each(unusable)("%s: one sentence, exit code 2", async (_what, changes, sentence) => {
  await expectSentence(await startElsewhere(changes), 2, sentence);
});

test("files that cannot be used: one sentence, exit code 2", async () => {
  const open = path.join(pair.folder, "open-key");
  createKeyFile(open);
  await chmod(open, 0o644);
  const guest = path.join(pair.folder, "guest");
  await mkdir(guest);
  await writeFile(path.join(guest, "guest.json"), '{"program": "gone.bin"}');
  const odd = path.join(pair.folder, "odd");
  await mkdir(odd);
  await writeFile(path.join(odd, "guest.json"), '{"floppy": 1}');
  const cases: [RunnerChanges, RegExp][] = [
    [{ key: open }, /open-key has mode 0644.*chmod 0600/],
    [{ guest }, /boot\.program cannot be read: ENOENT.*gone\.bin/],
    [{ guest: odd }, /odd\/guest\.json describes no guest/],
  ];
  for (const [changes, sentence] of cases) {
    await expectSentence(await startElsewhere(changes), 2, sentence);
  }
});

test("a port in use: one sentence with the address, exit code 5", async () => {
  const [port, udpPort] = [await freePort(), await freePort()];
  const server = net.createServer().listen(port, "127.0.0.1");
  const socket = dgram.createSocket("udp4").bind(udpPort, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(socket, "listening")]);
  const used = `127.0.0.1:${port}`;
  const cases: [RunnerChanges, string][] = [
    [{ listen: used }, used],
    [{ http: used }, used],
    [{ listen: `127.0.0.1:${udpPort}` }, `127.0.0.1:${udpPort}`],
  ];
  const runners = await Promise.all(cases.map(([changes]) => startElsewhere(changes)));
  for (const [index, [, address]] of cases.entries()) {
    const sentence = new RegExp(`another process listens on ${address}; choose another address`);
    // SAFETY: one runner was started for each case.
    await expectSentence(runners[index] as TestRunner, 5, sentence);
  }
  server.close();
  socket.close();
});

const refused: readonly [string, RunnerChanges, RegExp][] = [
  [
    "an option of V8 that the primary does not have",
    { env: { NODE_OPTIONS: "--max-old-space-size=3000" } },
    /V8 options differs: the primary has none, the candidate has --max-old-space-size=3000/,
  ],
  [
    "another size of memory",
    { memory: "34" },
    /memory differs: the primary has 32 MiB, the candidate has 34 MiB/,
  ],
  [
    "the identity of another VM",
    { vm: "another" },
    /another key than ours for VM another, or none/,
  ],
];

test.each(refused)("%s: says what differs, exit code 11", async (_what, changes, sentence) => {
  const peer = `127.0.0.1:${primary.place.port}`;
  await expectReason(await startElsewhere({ peer, ...changes }), 11, "refused", sentence);
});

test("another key than the arbiter's, or than the peer's: says whose, exit code 11", async () => {
  const key = path.join(pair.folder, "another-key");
  createKeyFile(key);
  const strange = await startElsewhere({ key });
  await expectReason(strange, 11, "refused", /arbiter 127.* has another key than ours/);
  const other = await PairProcesses.create();
  try {
    const theirs = other.startRunner(other.places[0]);
    await other.untilAlone(theirs);
    const place = { ...pair.places[1], peer: other.places[0].port };
    const misled = pair.startRunner(place);
    const sentence = new RegExp(`the peer at 127.0.0.1:${place.peer} has another key than ours`);
    await expectReason(misled, 11, "refused", sentence);
  } finally {
    await other.stop();
  }
});

test("a VM without a record: says so, exit code 9", async () => {
  const data = await PairProcesses.create({ withRecord: false });
  try {
    const runner = data.startRunner(data.places[0]);
    const sentence = new RegExp(`no record exists for VM ${data.vm}`);
    await expectReason(runner, 9, "no record", sentence);
  } finally {
    await data.stop();
  }
});

/** A runner on ports of its own. */
async function startElsewhere(changes: RunnerChanges): Promise<TestRunner> {
  const place = { name: "C", port: await freePort(), http: await freePort() };
  return pair.startRunner({ ...place, peer: primary.place.port }, changes);
}

async function expectSentence({ process }: TestRunner, code: number, sentence: RegExp) {
  expect({ code: await process.exitCode(), said: process.sentences() }).toEqual({
    code,
    said: [expect.stringMatching(sentence)],
  });
  expect(process.stdout).toBe("");
}

async function expectReason(runner: TestRunner, code: number, reason: string, sentence: RegExp) {
  expect(await runner.process.exitCode()).toBe(code);
  expect(runner.process.logged("runner ends")).toEqual([
    expect.objectContaining({ reason, message: expect.stringMatching(sentence) }),
  ]);
}
