/**
 * The machine's control groups, of version 1 (a hierarchy per controller, or two that share one) or
 * version 2 (one hierarchy). A cluster has one group below each, with a group per node in it.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { until } from "../../bench/waiting.ts";
import { ClusterError, codeOf } from "./cluster-error.ts";

export interface Hierarchy {
  readonly version: 1 | 2;
  readonly directory: string;
  /** What `mount -o` takes to mount it once more: "memory", "cpu,cpuacct", "none,name=systemd". */
  readonly options: string;
}

const neededV1 = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];
const neededV2 = ["cpu", "cpuset", "memory", "io", "pids"];

/** The hierarchies of this machine. @throws ClusterError when a controller is missing. */
export function findHierarchies(
  mountInfo = readFileSync("/proc/self/mountinfo", "utf8"),
  read = (file: string) => readFileSync(file, "utf8"),
): Hierarchy[] {
  const mounts = mountInfo.trim().split("\n").flatMap(parseMount);
  const v1 = mounts.filter((mount) => mount.version === 1);
  if (v1.length > 0) return requireControllers(firstOfEach(v1));
  const unified = mounts.find((mount) => mount.directory === "/sys/fs/cgroup");
  if (unified !== undefined) return [requireUnified(unified, read)];
  throw new ClusterError(
    "no control groups are mounted below /sys/fs/cgroup, without which no container runs; " +
      "run this on a machine (or in a privileged container) that has them",
  );
}

/** Options of the mount, and of a kernel with SELinux, that say nothing about which hierarchy it is. */
const optionsOfMounts = ["rw", "ro", "xattr", "release_agent", "seclabel"];

/** A line of mountinfo (proc_pid_mountinfo(5)). */
function parseMount(line: string): Hierarchy[] {
  const [before = "", after = ""] = line.split(" - ");
  const directory = before.split(" ")[4] ?? "";
  const [type, , superOptions = ""] = after.split(" ");
  if (!directory.startsWith("/sys/fs/cgroup")) return [];
  if (type === "cgroup2") return [{ version: 2, directory, options: "" }];
  if (type !== "cgroup") return [];
  const options = superOptions.split(",").filter((o) => !optionsOfMounts.includes(o));
  const own = options.filter((option) => !option.startsWith("release_agent="));
  const isNamed = own.some((option) => option.startsWith("name="));
  return [{ version: 1, directory, options: [...(isNamed ? ["none"] : []), ...own].join(",") }];
}

/** A hierarchy can be mounted in several places. */
function firstOfEach(mounts: readonly Hierarchy[]): Hierarchy[] {
  return mounts.filter((mount, i) => mounts.findIndex((m) => m.options === mount.options) === i);
}

function requireControllers(hierarchies: readonly Hierarchy[]): Hierarchy[] {
  const there = hierarchies.flatMap((hierarchy) => hierarchy.options.split(","));
  const missing = neededV1.filter((controller) => !there.includes(controller));
  if (missing.length === 0) return [...hierarchies];
  throw missingControllers(missing);
}

function requireUnified(hierarchy: Hierarchy, read: (file: string) => string): Hierarchy {
  const there = read(path.join(hierarchy.directory, "cgroup.controllers"));
  const missing = neededV2.filter((controller) => !there.trim().split(" ").includes(controller));
  if (missing.length > 0) throw missingControllers(missing);
  return hierarchy;
}

function missingControllers(missing: readonly string[]): ClusterError {
  return new ClusterError(
    `the control group controllers ${missing.join(", ")} are missing, which kubelet needs; ` +
      "use a kernel (or a container) that has them",
  );
}

/** Makes `group` and its parents below every hierarchy, ready to take processes. */
export async function makeGroup(hierarchies: readonly Hierarchy[], group: string): Promise<void> {
  for (const hierarchy of hierarchies) {
    let directory = hierarchy.directory;
    for (const name of group.split("/")) {
      const parent = directory;
      directory = path.join(parent, name);
      await mkdir(directory, { recursive: true });
      inherit(hierarchy, parent, directory);
    }
  }
}

function inherit(hierarchy: Hierarchy, parent: string, directory: string): void {
  if (hierarchy.version === 2) {
    handDown(parent);
  } else if (hierarchy.options.split(",").includes("cpuset")) {
    // A new group of cpuset takes no process before it has processors and memory.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      writeFileSync(path.join(directory, file), readFileSync(path.join(parent, file)));
    }
  }
}

/**
 * Gives the controllers of version 2 to the groups below, but for those that they have: the machine's root
 * is others', too. Only that root may also hold processes.
 */
function handDown(parent: string): void {
  const file = path.join(parent, "cgroup.subtree_control");
  const there = readFileSync(file, "utf8").trim().split(" ");
  const missing = neededV2.filter((controller) => !there.includes(controller));
  if (missing.length === 0) return;
  try {
    writeFileSync(file, missing.map((controller) => `+${controller}`).join(" "));
  } catch (error) {
    if (codeOf(error) !== "EBUSY") throw error;
    throw new ClusterError(
      `the control group ${parent} holds processes, as in a container, and can give no controllers to a ` +
        `cluster's; move them first: mkdir -p ${parent}/init; ` +
        `while read -r p; do echo $p >${parent}/init/cgroup.procs; done <${parent}/cgroup.procs`,
    );
  }
}

/** Where a process enters the group: one file per hierarchy. */
export function doors(hierarchies: readonly Hierarchy[], group: string): string[] {
  return hierarchies.map(({ directory }) => path.join(directory, group, "cgroup.procs"));
}

/** The command, run in the groups with these doors. */
export function entering(
  groupDoors: readonly string[],
  command: readonly [string, ...string[]],
): [string, ...string[]] {
  const enter = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"';
  return ["bash", "-ec", enter, "enter", ...groupDoors, "--", ...command];
}

/** The path of a process's group below one hierarchy, from its /proc/PID/cgroup (cgroups(7)); null: none. */
export function groupIn({ version, options }: Hierarchy, groups: string): string | null {
  const wanted = version === 2 ? [] : options.split(",").filter((option) => option !== "none");
  for (const line of groups.split("\n")) {
    const [id, controllers = "", ...rest] = line.split(":");
    const is =
      version === 2
        ? id === "0"
        : wanted.every((controller) => controllers.split(",").includes(controller));
    // In a container, the path begins with the container's own group, which is not below the mount.
    const own = is ? /.*\/(lockstep\d+-.*)$/.exec(rest.join(":"))?.[1] : undefined;
    if (own !== undefined) return own;
  }
  return null;
}

/** Stops every process of the group and below, or lets them run on. */
export async function freezeGroup(
  hierarchies: readonly Hierarchy[],
  group: string,
  frozen: boolean,
): Promise<void> {
  const freezer = hierarchies.find(({ version, options }) => {
    return version === 2 || options.split(",").includes("freezer");
  });
  if (freezer === undefined) throw missingControllers(["freezer"]);
  const directory = path.join(freezer.directory, group);
  if (!existsSync(directory)) return;
  const what = `${frozen ? "freezing" : "thawing"} ${group}`;
  if (freezer.version === 2) {
    writeFileSync(path.join(directory, "cgroup.freeze"), frozen ? "1" : "0");
    const events = path.join(directory, "cgroup.events");
    const wanted = `frozen ${frozen ? 1 : 0}`;
    await reached(what, () => readFileSync(events, "utf8").includes(wanted));
  } else {
    const state = path.join(directory, "freezer.state");
    const wanted = frozen ? "FROZEN" : "THAWED";
    await reached(what, () => {
      // A process that was just being made can escape a first attempt: it says FREEZING, and is asked again.
      writeFileSync(state, wanted);
      return readFileSync(state, "utf8").trim() === wanted;
    });
  }
}

async function reached(what: string, condition: () => boolean): Promise<void> {
  await until(what, () => (condition() ? true : null), { timeoutMs: 30_000 });
}

export function isFrozen(hierarchies: readonly Hierarchy[], group: string): boolean {
  return hierarchies.some(({ directory }) => {
    const v1 = path.join(directory, group, "freezer.state");
    const v2 = path.join(directory, group, "cgroup.freeze");
    if (existsSync(v1)) return readFileSync(v1, "utf8").trim() !== "THAWED";
    return existsSync(v2) && readFileSync(v2, "utf8").trim() === "1";
  });
}

/** Bytes of memory that the group cannot do without: in use, less the files that may be dropped. */
export function workingSetBytes(hierarchies: readonly Hierarchy[], group: string): number {
  for (const { directory } of hierarchies) {
    const at = (file: string) => path.join(directory, group, file);
    for (const [usage, inactive] of [
      ["memory.usage_in_bytes", "total_inactive_file"],
      ["memory.current", "inactive_file"],
    ] as const) {
      if (!existsSync(at(usage))) continue;
      const stat = new RegExp(`^${inactive} (\\d+)$`, "m").exec(
        readFileSync(at("memory.stat"), "utf8"),
      );
      return Number(readFileSync(at(usage), "utf8")) - Number(stat?.[1] ?? 0);
    }
  }
  return 0;
}

/** Removes the group and all below it, once their last processes are gone. @throws ClusterError */
export async function removeGroup(hierarchies: readonly Hierarchy[], group: string): Promise<void> {
  for (const { directory } of hierarchies) {
    const top = path.join(directory, group);
    await until(`removing ${top}`, () => (removeTree(top) ? true : null), { timeoutMs: 60_000 });
  }
}

/** Whether it is gone. A group that still has processes cannot be removed. */
function removeTree(directory: string): boolean {
  if (!existsSync(directory)) return true;
  const below = readdirSync(directory, { withFileTypes: true }).filter((e) => e.isDirectory());
  const gone = below.map((entry) => removeTree(path.join(directory, entry.name)));
  if (gone.includes(false)) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EBUSY") return false;
    if (code === "ENOENT") return true;
    throw error;
  }
}
