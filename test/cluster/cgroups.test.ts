/** Which hierarchies of control groups a machine's mounts tell of. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  doors,
  entering,
  findHierarchies,
  freezeGroup,
  groupIn,
  type Hierarchy,
  isFrozen,
  makeGroup,
  removeGroup,
  workingSetBytes,
} from "./cgroups.ts";
import { run } from "./run-program.ts";

const controllers = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];
const tmpfs = "24 23 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755";
const unified = "30 22 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
const root = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "cgroups-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("of version 1, each controller with a hierarchy of its own", () => {
  const mounts = [root, tmpfs, ...controllers.map((name) => v1(name, `rw,${name}`))];
  expect(findHierarchies(`${mounts.join("\n")}\n`)).toEqual(
    controllers.map((name) => found(name, name)),
  );
});

test("of version 1, with controllers that share a hierarchy, and one that has only a name", () => {
  const mounts = [
    tmpfs,
    v1("systemd", "rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd"),
    v1("cpu,cpuacct", "rw,cpu,cpuacct"),
    v1("net_cls,net_prio", "rw,net_cls,net_prio"),
    ...["cpuset", "memory", "devices", "freezer", "blkio", "pids"].map((n) =>
      v1(n, `rw,seclabel,${n}`),
    ),
  ];
  expect(findHierarchies(mounts.join("\n")).slice(0, 4)).toEqual([
    found("systemd", "none,name=systemd"),
    found("cpu,cpuacct", "cpu,cpuacct"),
    found("net_cls,net_prio", "net_cls,net_prio"),
    found("cpuset", "cpuset"),
  ]);
});

test("of both versions at once, version 1, which has the controllers", () => {
  const second = "30 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";
  const mounts = [tmpfs, second, ...controllers.map((name) => v1(name, `rw,${name}`))];
  const hierarchies = findHierarchies(mounts.join("\n"));
  expect(hierarchies.map(({ options }) => options)).toEqual(controllers);
});

test("a hierarchy that is mounted twice counts once", () => {
  const twice = "99 24 0:99 / /sys/fs/cgroup/again rw - cgroup cgroup rw,memory";
  const mounts = [tmpfs, ...controllers.map((name) => v1(name, `rw,${name}`)), twice];
  expect(findHierarchies(mounts.join("\n"))).toHaveLength(controllers.length);
});

test("of version 2, the one that there is", () => {
  const found = findHierarchies(`${root}\n${unified}\n`, (file) => {
    expect(file).toBe("/sys/fs/cgroup/cgroup.controllers");
    return "cpuset cpu io memory hugetlb pids rdma misc\n";
  });
  expect(found).toEqual([{ version: 2, directory: "/sys/fs/cgroup", options: "" }]);
});

test("version 2 without a controller that kubelet needs is said in a sentence", () => {
  expect(() => findHierarchies(unified, () => "cpu memory pids\n")).toThrow(
    /^the control group controllers cpuset, io are missing, which kubelet needs; use a kernel/,
  );
});

test.each<[string, string, RegExp]>([
  [
    "nothing is mounted",
    root,
    /^no control groups are mounted below \/sys\/fs\/cgroup,.*; run this/,
  ],
  ["only the empty place is there", tmpfs, /^no control groups are mounted/],
  [
    "they are mounted elsewhere",
    "30 24 0:30 / /mnt/cgroup rw - cgroup2 cgroup2 rw",
    /^no control groups/,
  ],
  [
    "controllers are missing",
    [v1("cpu,cpuacct", "rw,cpu,cpuacct"), v1("memory", "rw,memory")].join("\n"),
    /^the control group controllers cpuset, devices, freezer, blkio, pids are missing, .*; use a kernel/,
  ],
])("when %s, that is said in a sentence", (_, mounts, sentence) => {
  expect(() => findHierarchies(mounts)).toThrow(
    expect.objectContaining({ message: expect.stringMatching(sentence) }),
  );
});

test("a group has one door in each hierarchy", () => {
  const hierarchies = [found("cpu,cpuacct", "cpu,cpuacct"), found("memory", "memory")];
  expect(doors(hierarchies, "lockstep107-a/node1")).toEqual([
    "/sys/fs/cgroup/cpu,cpuacct/lockstep107-a/node1/cgroup.procs",
    "/sys/fs/cgroup/memory/lockstep107-a/node1/cgroup.procs",
  ]);
});

test("version 2 hands its controllers down to a group, from parent to child", async () => {
  const unified = within(2, "");
  const child = path.join(folder, "lockstep107-a");
  mkdirSync(child);
  // As others left it at the top, and as the kernel makes it below.
  writeFileSync(path.join(folder, "cgroup.subtree_control"), "memory pids\n");
  writeFileSync(path.join(child, "cgroup.subtree_control"), "\n");
  await makeGroup([unified], "lockstep107-a/node1");
  const handed = (group: string) =>
    readFile(path.join(folder, group, "cgroup.subtree_control"), "utf8");
  expect(await handed("")).toBe("+cpu +cpuset +io");
  expect(await handed("lockstep107-a")).toBe("+cpu +cpuset +memory +io +pids");
});

test("a group of cpuset gets its parent's processors and memory, from parent to child", async () => {
  writeFileSync(path.join(folder, "cpuset.cpus"), "0-1\n");
  writeFileSync(path.join(folder, "cpuset.mems"), "0\n");
  await makeGroup([within(1, "cpuset")], "lockstep107-a/node1");
  expect(await readFile(path.join(folder, "lockstep107-a/node1/cpuset.cpus"), "utf8")).toBe(
    "0-1\n",
  );
  expect(await readFile(path.join(folder, "lockstep107-a/node1/cpuset.mems"), "utf8")).toBe("0\n");
});

test("what the groups below have already is not handed down again", async () => {
  const before = "cpuset cpu io memory pids\n";
  writeFileSync(path.join(folder, "cgroup.subtree_control"), before);
  await makeGroup([within(2, "")], "lockstep107-a");
  expect(await readFile(path.join(folder, "cgroup.subtree_control"), "utf8")).toBe(before);
});

test.each<[string, Hierarchy, string, string | null]>([
  ["of version 1", found("memory", "memory"), "", "lockstep107-a/node1"],
  ["that two share", found("cpu,cpuacct", "cpu,cpuacct"), "", "lockstep107-a/node1"],
  ["that has only a name", found("systemd", "none,name=systemd"), "", "lockstep107-a/node1"],
  ["in a container", found("memory", "memory"), "/docker/0123", "lockstep107-a/node1"],
  ["of version 2", { ...found("", ""), version: 2 }, "", "lockstep107-a/node1/system"],
  ["without the process", found("rdma", "rdma"), "", null],
])("the group of a process in a hierarchy %s", (_, hierarchy, outside, group) => {
  const lines = [
    `5:memory:${outside}/lockstep107-a/node1`,
    `4:cpu,cpuacct:${outside}/lockstep107-a/node1`,
    "3:rdma:/",
    `1:name=systemd:${outside}/lockstep107-a/node1`,
    `0::${outside}/lockstep107-a/node1/system`,
  ];
  expect(groupIn(hierarchy, `${lines.join("\n")}\n`)).toBe(group);
});

test("a command enters by every door, and gets its arguments as they are", async () => {
  const groupDoors = ["a b", "c"].map((name) => path.join(folder, name));
  const command = ["bash", "-c", 'printf "%s|" "$$" "$@"', "name", "--", "x  y", "$z"] as const;
  const [program, ...args] = entering(groupDoors, [...command]);
  const printed = await run(program, args);
  const [pid] = printed.split("|");
  expect(printed).toBe(`${pid}|--|x  y|$z|`);
  for (const door of groupDoors) expect(await readFile(door, "utf8")).toBe(`${pid}\n`);
});

test("a group that is gone is neither frozen nor in the way", async () => {
  const freezer = within(1, "freezer");
  expect(isFrozen([freezer], "lockstep107-a")).toBe(false);
  await freezeGroup([freezer], "lockstep107-a", false);
  await removeGroup([freezer], "lockstep107-a");
});

test.each([
  ["FROZEN\n", true],
  ["FREEZING\n", true],
  ["THAWED\n", false],
])("version 1 says %j: frozen %s", (state, frozen) => {
  mkdirSync(path.join(folder, "g"));
  writeFileSync(path.join(folder, "g/freezer.state"), state);
  expect(isFrozen([within(1, "freezer")], "g")).toBe(frozen);
});

test.each([
  ["memory.usage_in_bytes", "cache 7\ninactive_file 99\ntotal_inactive_file 400\n"],
  ["memory.current", "file 7\ninactive_file 400\n"],
])("of %s, files that may be dropped do not count", (usage, stat) => {
  mkdirSync(path.join(folder, "g"));
  writeFileSync(path.join(folder, "g", usage), "1000\n");
  writeFileSync(path.join(folder, "g/memory.stat"), stat);
  expect(workingSetBytes([within(1, "memory")], "g")).toBe(600);
});

function v1(name: string, options: string): string {
  const number = 40 + name.length;
  return `${number} 24 0:${number} / /sys/fs/cgroup/${name} rw,nosuid shared:9 - cgroup cgroup ${options}`;
}

function found(name: string, options: string): Hierarchy {
  return { version: 1, directory: `/sys/fs/cgroup/${name}`, options };
}

/** Plain files, where the kernel's would be. */
function within(version: 1 | 2, options: string): Hierarchy {
  return { version, directory: folder, options };
}
