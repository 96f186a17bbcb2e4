/**
 * What users read when something cannot be: one sentence on standard error, and an exit code, and
 * nothing left behind. None of these cases gets as far as a running program: those here are stand-ins.
 */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "@jest/globals";
import { type Command, clusterMain, startCommand } from "../cluster/cluster-command.ts";
import { Records } from "../cluster/record.ts";
import { attempt } from "../cluster/run-program.ts";

const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const withFullDisk = [
  "unshare",
  "--mount",
  "sh",
  "-ec",
  'mount -t tmpfs -o size=1m full "$FULL"; exec "$@"',
  "sh",
];
const timeoutMs = 60_000;
const up = ["up", "--level", "api"];

const whyNotNobody = await reasonAgainst([
  ...asNobody,
  process.execPath,
  "--no-warnings",
  clusterMain,
  "--help",
]);
const whyNotMount = await reasonAgainst([
  "unshare",
  "--mount",
  "mount",
  "-t",
  "tmpfs",
  "none",
  "/mnt",
]);
const testAsNobody = whyNotNobody === null ? test : test.skip;
const testWithFullDisk = whyNotMount === null ? test : test.skip;

const folder = await mkdtemp(path.join(os.tmpdir(), "command-line-"));
await chmod(folder, 0o755);
/** Where this file's clusters are: one of level nodes, of which nothing but its record is there. */
const state = await stateWithRecord("state");
for (const name of ["etcd", "kube-apiserver", "kubectl"]) {
  const text = '#!/bin/sh\necho "not such an option" >&2\nexit 3\n';
  await writeFile(path.join(await made("bin"), name), text, { mode: 0o755 });
}
const environment = {
  LOCKSTEP_CLUSTER_STATE: state,
  LOCKSTEP_CLUSTER_BIN: path.join(folder, "bin"),
  FULL: await made("full"),
};
const commands = new Set<Command>();

afterAll(async () => {
  for (const command of commands) command.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

// Nothing changes for any of these: they may run side by side.
test.concurrent.each<[string[], number, RegExp]>([
  [["fly"], 2, /^unknown command 'fly'$/],
  [["dwn"], 2, /^unknown command 'dwn' \(Did you mean down\?\)$/],
  [
    ["up", "--level", "most"],
    2,
    /'most' is invalid. Allowed choices are api, nodes, fake-nodes\.$/,
  ],
  [["up", "--speed", "1"], 2, /^unknown option '--speed'$/],
  [["up", "--nodes", "0"], 2, /argument '0' is invalid. expected a number from 1 to 9999$/],
  [["up", "--nodes", "abc"], 2, /argument 'abc' is invalid/],
  [
    ["up", "--level", "api", "--nodes", "3"],
    1,
    /^a cluster of level api has no nodes; leave out --nodes$/,
  ],
  [["up", "--nodes", "99"], 1, /^a cluster cannot have 99 nodes; give a number from 1 to 16$/],
  [
    ["up", "--level", "fake-nodes", "--nodes", "2000"],
    1,
    /2000 nodes; give a number from 1 to 1000$/,
  ],
  [
    [...up, "--name", "Bad_Name"],
    1,
    /^a cluster cannot be named "Bad_Name"; give 1 to 20 small letters/,
  ],
  [[...up, "--name", ""], 1, /^a cluster cannot be named ""; give/],
  [[...up, "--name", "../there"], 1, /^a cluster cannot be named "..\/there"; give/],
  [[...up, "--name", "there"], 1, /^a cluster "there" is there already, .* down --name there; or/],
  [["down", "--name", "none"], 1, /^there is no cluster "none" \(there is: there\); start it with/],
  [["status", "--name", "none"], 1, /^there is no cluster "none"/],
  [["kubectl", "--name", "none", "get", "nodes"], 1, /^there is no cluster "none"/],
  [["exec", "--name", "there", "node1"], 1, /^exec needs a node and a program: exec NODE PROGRAM/],
  [
    ["exec", "--name", "there", "node9", "true"],
    1,
    /^cluster there has no node "node9"; its nodes: node1, node2$/,
  ],
  [
    ["exec", "--name", "there", "node1", "true"],
    1,
    /^node1 is switched off; switch it on with: power-on node1$/,
  ],
  [["power-off"], 2, /^missing required argument 'node'$/],
  [["power-off", "--name", "there", "node9"], 1, /^cluster there has no node "node9"/],
  [["kubelet-stop", "--name", "there", "node1"], 1, /^node1 is switched off/],
  [
    ["partition", "--name", "there", "node1", "--from", "nobody"],
    1,
    /^there is no "nobody" to cut a node off from; give one of api, node1, node2$/,
  ],
  [
    ["lose", "--name", "there", "node1", "0"],
    1,
    /^a share of 0 % cannot be lost; give 0.1 to 99.9$/,
  ],
  [
    ["lose", "--name", "there", "node1", "100"],
    1,
    /^a share of 100 % cannot be lost; give 0.1 to 99.9$/,
  ],
  [
    ["lose", "--name", "there", "node1", "abc"],
    1,
    /^"abc" is no share of packets; give 0.1 to 99.9$/,
  ],
  [["load", "--name", "there", "/no/such.tar"], 1, /\/no\/such\.tar/],
])(
  "%j ends with code %i and a sentence",
  async (args, code, sentence) => {
    await expectSentence(start(args, environment), code, sentence);
  },
  timeoutMs,
);

test.concurrent.each<[string, Readonly<Record<string, string | undefined>>, RegExp]>([
  [
    "a folder for programs that is not there",
    { LOCKSTEP_CLUSTER_BIN: "/no/where" },
    /LOCKSTEP_CLUSTER_BIN names \/no\/where, which is not there; /,
  ],
  [
    "a place for clusters below a file",
    { LOCKSTEP_CLUSTER_STATE: "/proc/version/state/x" },
    /\/proc\/version.*LOCKSTEP_CLUSTER_STATE/,
  ],
  [
    "no programs of the system",
    { PATH: "/no/where" },
    /^the cluster needs openssl.*; run: apt-get install openssl/,
  ],
])(
  "%s is said in a sentence",
  async (_, changes, sentence) => {
    await expectSentence(
      start([...up, "--name", "new"], { ...environment, ...changes }),
      1,
      sentence,
    );
  },
  timeoutMs,
);

test(
  "a record that cannot be read is named",
  async () => {
    const broken = await stateWithRecord("broken");
    const file = path.join(broken, "records", "there.json");
    await writeFile(file, "{}");
    const sentence = new RegExp(
      `^${file} is not the record of a cluster that this version can read; end`,
    );
    const there = { ...environment, LOCKSTEP_CLUSTER_STATE: broken };
    for (const args of [["status"], ["down", "--name", "there"], [...up, "--name", "new"]]) {
      await expectSentence(start(args, there), 1, sentence);
    }
  },
  timeoutMs,
);

testAsNobody(
  `who is not root reads that nodes need it${unless(whyNotNobody)}`,
  async () => {
    const command = start(["up", "--name", "new"], environment, asNobody);
    await expectSentence(
      command,
      1,
      /^a cluster with nodes needs root, .*; run it with sudo, or use --level api/,
    );
  },
  timeoutMs,
);

testAsNobody.each(["", "/deep/er"])(
  `who may not write where clusters are kept (place%s) reads where that is${unless(whyNotNobody)}`,
  async (below) => {
    const place = path.join(folder, `bin${below}`, "state");
    const command = start(
      [...up, "--name", "new"],
      { ...environment, LOCKSTEP_CLUSTER_STATE: place },
      asNobody,
    );
    await expectSentence(command, 1, /\/bin.*LOCKSTEP_CLUSTER_STATE/);
  },
  timeoutMs,
);

testWithFullDisk(
  `a disk that is full is said before anything is made${unless(whyNotMount)}`,
  async () => {
    const full = { ...environment, LOCKSTEP_CLUSTER_STATE: path.join(folder, "full", "state") };
    const command = start([...up, "--name", "new"], full, withFullDisk);
    await expectSentence(
      command,
      1,
      /full\/state has 0\.0 GB free, and this cluster needs 0\.5 GB; free some, or/,
    );
  },
  timeoutMs,
);

test(
  "a program that ends at once is quoted, and what was made for it is gone",
  async () => {
    const around = await made("ended");
    const there = { ...environment, LOCKSTEP_CLUSTER_STATE: path.join(around, "clusters") };
    const command = start([...up, "--name", "new"], there);
    expect(await command.end()).toBe(1);
    expect(command.said()).toMatch(
      /^cluster: (etcd|kube-apiserver) has ended; the end of its log says:\nnot such an option$/m,
    );
    expect(await readdir(around)).toEqual([]);
  },
  timeoutMs,
);

/** And that the one record that there was is the one that there is. */
async function expectSentence(command: Command, code: number, sentence: RegExp) {
  const ended = await command.end();
  const lines = command.said().split("\n");
  expect(lines).toEqual([expect.stringMatching(/^cluster: \S/), ""]);
  expect(lines[0]?.replace(/^cluster: /, "")).toMatch(sentence);
  expect(ended).toBe(code);
  expect(await readdir(path.join(state, "records"))).toEqual(["there.json"]);
  expect(await readdir(path.dirname(state))).toEqual(["clusters"]);
  expect(await readdir(environment.FULL)).toEqual([]);
}

function start(...given: Parameters<typeof startCommand>): Command {
  const command = startCommand(...given);
  commands.add(command);
  return command;
}

async function made(name: string): Promise<string> {
  const directory = path.join(folder, name);
  await mkdir(directory, { recursive: true });
  return directory;
}

async function stateWithRecord(name: string): Promise<string> {
  const directory = path.join(await made(name), "clusters");
  const spec = { name: "there", level: "nodes", nodeCount: 2, profile: "fast" } as const;
  await new Records(directory).create(spec, async () => 100);
  return directory;
}

/** Why this cannot be tried here; null: it can. */
async function reasonAgainst([program = "", ...args]: readonly string[]): Promise<string | null> {
  if (process.getuid?.() !== 0) return "it needs root";
  try {
    const { code, stderr } = await attempt(program, args);
    if (code === 0) return null;
    const words = /^(.*(?:Error|cannot|failed|denied).*)$/m.exec(stderr)?.[1] ?? stderr.trim();
    return words || `${program} ended with ${code}`;
  } catch (error) {
    return String(error);
  }
}

function unless(reason: string | null): string {
  return reason === null ? "" : ` (skipped: ${reason})`;
}
