/** The comparison that says whether a cluster has left something. */
import { expect, test } from "@jest/globals";
import type { MachineProcess } from "./machine-processes.ts";
import { differences, type MachineState, type Ownership, readMachine } from "./machine-state.ts";

const alone: Ownership = { marks: ["cycle-a", "lockstep107"], alone: true };
const amongOthers: Ownership = { ...alone, alone: false };

type Things = Parameters<MachineState["things"]["get"]>[0];

function machine(
  kind: Things,
  lines: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): MachineState {
  return {
    things: new Map([[kind, new Set(lines)]]),
    settings: new Map(Object.entries(settings)),
    processes: [],
    reader: 50,
  };
}

const things: readonly [string, Things, string, Ownership, boolean][] = [
  ["a link of ours", "link", "lockstep107n1 ether lockstep107 up", amongOthers, true],
  ["a link of nobody, alone", "link", "veth1 ether  up", alone, true],
  ["a link of nobody, among others", "link", "veth1 ether  up", amongOthers, false],
  [
    "a firewall rule, even among others",
    "firewall rule",
    "table ip kube-proxy {",
    amongOthers,
    true,
  ],
  [
    "a control group of ours",
    "control group",
    "/sys/fs/cgroup/lockstep107-cycle-a",
    amongOthers,
    true,
  ],
  ["a group at the top, alone", "control group", "/sys/fs/cgroup/kubepods", alone, true],
  ["a group of a unit of systemd", "control group", "/sys/fs/cgroup/system.slice/a", alone, false],
  ["a group in another's", "control group", "/sys/fs/cgroup/memory/others/a", alone, false],
  ["our group in a slice", "control group", "/sys/fs/cgroup/u.slice/lockstep107", alone, true],
];

test.each(things)("%s counts as it should", (_, kind, line, ownership, counts) => {
  const [without, withIt] = [machine(kind, ["x"]), machine(kind, ["x", line])];
  expect(differences(without, withIt, ownership)).toEqual(counts ? [`left: ${kind} ${line}`] : []);
  expect(differences(withIt, without, ownership)).toEqual(counts ? [`gone: ${kind} ${line}`] : []);
  expect(differences(withIt, withIt, ownership)).toEqual([]);
});

test("a setting that changed is told, one that is new is not", () => {
  const before = machine("link", [], { "vm/overcommit_memory": "0", "fs/inotify/max": "128" });
  const changed = { "vm/overcommit_memory": "1", "fs/inotify/max": "4096", "net/new": "1" };
  const after = machine("link", [], changed);
  const overcommit = "changed: setting vm/overcommit_memory from 0 to 1";
  expect(differences(before, after, amongOthers)).toEqual([overcommit]);
  const inotify = "changed: setting fs/inotify/max from 128 to 4096";
  expect(differences(before, after, alone)).toEqual([overcommit, inotify]);
});

function one(pid: number, parent: number, rest: Partial<MachineProcess> = {}): MachineProcess {
  return { pid, parent, started: "1", words: `p${pid}`, groups: "here", marker: "here", ...rest };
}

/** The first process, a shell with the test (50), and another shell. */
const others = [one(1, 0), one(40, 1), one(50, 40), one(60, 1)];

const newcomers: readonly [string, MachineProcess[], string[]][] = [
  ["a child of the test", [one(70, 50)], ["p70"]],
  ["an orphan", [one(70, 1)], ["p70"]],
  ["an orphan and its child", [one(70, 1), one(71, 70)], ["p70", "p71"]],
  ["what the test's own shell started meanwhile", [one(70, 40)], []],
  ["a child of another shell", [one(70, 60)], []],
  ["what systemd started", [one(70, 1, { groups: "there" })], []],
  ["a marked one, wherever", [one(70, 60, { groups: "there", marker: "lockstep107" })], ["p70"]],
  [
    "one with our name in its arguments",
    [one(70, 60, { words: "etcd cycle-a" })],
    ["etcd cycle-a"],
  ],
  ["another one with the pid of an old one", [one(60, 1, { started: "2" })], ["p60"]],
];

test.each(newcomers)("%s: who was left is told, and nobody else", (_, added, left) => {
  const state = (processes: MachineProcess[]) => ({ ...machine("link", []), processes });
  const kept = others.filter(({ pid }) => added.every((other) => other.pid !== pid));
  const found = differences(state(others), state([...kept, ...added]), amongOthers);
  expect(found.map((line) => line.replace(/^left: process \d+ /, ""))).toEqual(left);
});

test("two readings of one machine show the test itself, and no difference that is its own", async () => {
  const ownership = { marks: ["no-such-mark"], alone: false };
  const [before, after] = [await readMachine(), await readMachine()];
  expect(after.processes.some(({ pid }) => pid === process.pid)).toBe(true);
  for (const [kind, lines] of after.things) {
    if (kind === "mount" || kind === "file") expect(lines.size).toBeGreaterThan(0);
  }
  expect(differences(before, after, ownership)).toEqual([]);
});
