/**
 * What a cluster could leave on a machine, read before and after it: processes, mounts, networks, control
 * groups, rules of its firewall, settings and files. `differences` compares two such readings.
 *
 * Others may use the machine meanwhile. What carries a mark of the test's own clusters (a name, a network)
 * counts always; what carries none counts where nobody else is at work (CI), and everywhere when it is of
 * a kind that nothing but a cluster would change while a test runs. (Namespaces are not listed: one that
 * is left is held by a process or by a mount, which are.)
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { attempt, run } from "../cluster/run-program.ts";
import { type MachineProcess, readProcesses } from "./machine-processes.ts";

export interface MachineState {
  /** Of each kind, a line for each thing that is there. */
  readonly things: ReadonlyMap<Kind, ReadonlySet<string>>;
  /** Below /proc/sys. */
  readonly settings: ReadonlyMap<string, string>;
  readonly processes: readonly MachineProcess[];
  /** The process that read this. */
  readonly reader: number;
}

export interface Ownership {
  /** What every thing of the test's own clusters has in its line. */
  readonly marks: readonly string[];
  /** Nobody else uses the machine. */
  readonly alone: boolean;
}

type Kind =
  | "mount"
  | "link"
  | "address"
  | "route"
  | "routing rule"
  | "control group"
  | "firewall rule"
  | "set of addresses"
  | "loop device"
  | "file";

/** Others are not expected to change these, as builds, containers and other clusters change the rest. */
const onlyByClusters: readonly Kind[] = ["routing rule", "firewall rule", "set of addresses"];
/** Others' clusters raise and restore these. */
const sharedSettings = "fs/inotify/";

/** What is not as it was, a line each; none: everything is. */
export function differences(
  before: MachineState,
  after: MachineState,
  ownership: Ownership,
): string[] {
  const found: string[] = [];
  for (const [kind, lines] of after.things) {
    const counts = (line: string) => countsAs(kind, line, ownership);
    const old = before.things.get(kind) ?? new Set();
    const left = [...lines].filter((line) => !old.has(line) && counts(line));
    const gone = [...old].filter((line) => !lines.has(line) && counts(line));
    found.push(...left.map((line) => `left: ${kind} ${line}`));
    found.push(...gone.map((line) => `gone: ${kind} ${line}`));
  }
  for (const [name, value] of after.settings) {
    // One that is new came with a part of the kernel that was loaded, and is nobody's doing.
    const old = before.settings.get(name) ?? value;
    if (old === value || (!ownership.alone && name.startsWith(sharedSettings))) continue;
    found.push(`changed: setting ${name} from ${old} to ${value}`);
  }
  const left = leftProcesses(before, after, ownership.marks);
  return [...found, ...left.map(({ pid, words }) => `left: process ${pid} ${words}`)];
}

function countsAs(kind: Kind, line: string, { marks, alone }: Ownership): boolean {
  if (marks.some((mark) => line.includes(mark))) return true;
  if (kind === "control group" && isInForeignGroup(line)) return false;
  return alone || onlyByClusters.includes(kind);
}

/** Others make and remove groups in their own whenever they like: systemd those of its units, for one. */
function isInForeignGroup(directory: string): boolean {
  const isUnit = /\.(slice|scope|service)\b/.test(directory);
  // The third name is below a group at the top, also where each controller has its own hierarchy.
  return isUnit || /^\/sys\/fs\/cgroup\/[^/]+\/[^/]+\/./.test(directory);
}

/**
 * Processes that were not there before. One without a mark counts if it runs in the control groups of
 * the test (a unit that systemd started meanwhile has its own), and if whoever it descends from, of
 * those that were there before, is the test or the first process, to which goes what has lost its parent.
 * All others are somebody else's, such as what another shell has started.
 */
function leftProcesses(
  before: MachineState,
  after: MachineState,
  marks: readonly string[],
): MachineProcess[] {
  const known = new Set(before.processes.map(identityOf));
  const now = new Map(after.processes.map((one) => [one.pid, one]));
  const groups = now.get(after.reader)?.groups;
  return after.processes.filter((one) => {
    if (known.has(identityOf(one))) return false;
    if (marks.some((mark) => one.words.includes(mark) || one.marker.includes(mark))) return true;
    const elder = ancestry(one, now).find((other) => known.has(identityOf(other)));
    return [1, after.reader].includes(elder?.pid ?? 1) && one.groups === groups;
  });
}

/** Itself, its parent, and so on. */
function ancestry(one: MachineProcess, all: ReadonlyMap<number, MachineProcess>): MachineProcess[] {
  const found: MachineProcess[] = [];
  for (let next: MachineProcess | undefined = one; next !== undefined; next = all.get(next.parent))
    found.push(next);
  return found;
}

function identityOf({ pid, started }: MachineProcess): string {
  return `${pid} ${started}`;
}

export async function readMachine(): Promise<MachineState> {
  const processes = readProcesses();
  const mountInfo = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  const things = new Map<Kind, Set<string>>([
    ["mount", new Set(mountInfo.map(mountLine))],
    ["link", await links()],
    ["address", await addresses()],
    ["route", await routes()],
    ["routing rule", linesOf(await run("ip", ["rule"]), await run("ip", ["-6", "rule"]))],
    ["control group", controlGroups(mountInfo)],
    ["firewall rule", await firewallRules()],
    ["set of addresses", linesOf((await attempt("nft", ["list", "sets"])).stdout)],
    ["loop device", loopDevices()],
    ["file", files()],
  ]);
  return { things, settings: settings(), processes, reader: process.pid };
}

/** Of proc_pid_mountinfo(5): where, of which type, from what, and whether others see what is mounted there. */
function mountLine(line: string): string {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root = "", target = "", , ...propagation] = before.split(" ");
  const [type = "", source = ""] = after.split(" ");
  const seen = propagation.map((field) => field.replace(/:\d+$/, "")).join(" ");
  return [target, type, source, root, seen].join(" ");
}

interface Link {
  readonly ifname: string;
  readonly link_type: string;
  readonly master?: string;
  readonly flags: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen: number }[];
}

async function links(): Promise<Set<string>> {
  const found: readonly Link[] = JSON.parse(await run("ip", ["-j", "link"]));
  const line = ({ ifname, link_type, master = "", flags }: Link) =>
    `${ifname} ${link_type} ${master} ${flags.includes("UP") ? "up" : "down"}`;
  return new Set(found.map(line));
}

async function addresses(): Promise<Set<string>> {
  const found: readonly Link[] = JSON.parse(await run("ip", ["-j", "address"]));
  const ofLink = ({ ifname, addr_info = [] }: Link) =>
    addr_info.map(({ local = "", prefixlen }) => `${ifname} ${local}/${prefixlen}`);
  return new Set(found.flatMap(ofLink));
}

interface Route {
  readonly dst: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly table?: string;
}

async function routes(): Promise<Set<string>> {
  const texts = [
    await run("ip", ["-j", "-4", "route", "show", "table", "all"]),
    await run("ip", ["-j", "-6", "route", "show", "table", "all"]),
  ];
  const found: readonly Route[] = texts.flatMap((text) => JSON.parse(text || "[]"));
  const line = ({ dst, dev = "", gateway = "", table = "main" }: Route) =>
    `${dst} ${dev} ${gateway} ${table}`;
  return new Set(found.map(line));
}

/** Without counters, in the language of nft and in that of iptables, whose old form nft does not know. */
async function firewallRules(): Promise<Set<string>> {
  const saved = await Promise.all(
    ["iptables-save", "iptables-legacy-save", "ip6tables-legacy-save"].map(async (program) => {
      return (await attempt(program, []).catch(() => null))?.stdout ?? "";
    }),
  );
  const rules = saved.join("\n").replaceAll(/^#.*$|\[\d+:\d+\]/gm, "");
  return linesOf((await attempt("nft", ["-s", "list", "ruleset"])).stdout, rules);
}

function controlGroups(mountInfo: readonly string[]): Set<string> {
  const roots = mountInfo.filter((line) => / - cgroup2? /.test(line)).map((l) => l.split(" ")[4]);
  return new Set(roots.flatMap((root = "") => [root, ...directoriesBelow(root)]));
}

/** One that is removed while it is read is not there. */
function directoriesBelow(directory: string): string[] {
  return entriesOf(directory)
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const below = path.join(directory, name);
      return [below, ...directoriesBelow(below)];
    });
}

function loopDevices(): Set<string> {
  const backing = entriesOf("/sys/block")
    .map(({ name }) => `/sys/block/${name}/loop/backing_file`)
    .filter((file) => existsSync(file));
  return new Set(backing.map((file) => `${file} ${readFileSync(file, "utf8").trim()}`));
}

/** Where the programs of a cluster put files when nobody tells them another place. */
const places = [
  ...["/", "/etc", "/etc/cni", "/etc/cni/net.d", "/etc/containerd", "/etc/kubernetes", "/opt"],
  ...["/opt/cni", "/opt/containerd", "/run", "/run/lock", "/run/netns", "/run/containerd"],
  ...["/run/runc", "/dev", "/dev/shm", "/dev/mqueue", "/sys/fs/bpf", "/var", "/var/cache"],
  ...["/var/lib", "/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/log"],
  ...["/var/lib/lockstep-cluster/records", "/var/lib/lockstep-cluster/clusters", os.homedir()],
];
/** In the directory for temporary files, where others' come and go. */
const ourTemporaryFiles = /^(lockstep|kube|k8s|cni|containerd|ctr|runc)/;

function files(): Set<string> {
  const found = places.flatMap((place) =>
    entriesOf(place).map(({ name }) => path.join(place, name)),
  );
  const temporary = entriesOf(os.tmpdir()).filter(({ name }) => ourTemporaryFiles.test(name));
  return new Set([...found, ...temporary.map(({ name }) => path.join(os.tmpdir(), name))]);
}

const settingsPlaces = [
  ...["kernel", "kernel/keys", "vm", "fs", "fs/inotify", "net/core", "net/netfilter", "net/bridge"],
  ...["ipv4", "ipv6"].flatMap((family) =>
    ["", "/conf/all", "/conf/default"].map((below) => `net/${family}${below}`),
  ),
];
/** The kernel itself changes these all the time. */
const restlessSettings =
  /ns_last_pid|_count$|perf_|dentry-state|file-nr|inode-|aio-nr|cad_pid|hung_task|tainted|stable_secret/;

function settings(): Map<string, string> {
  const names = settingsPlaces.flatMap((place) =>
    entriesOf(path.join("/proc/sys", place))
      .filter((entry) => entry.isFile() && !restlessSettings.test(entry.name))
      .map(({ name }) => path.join(place, name)),
  );
  return new Map(names.flatMap(readSetting));
}

/** Nothing when it can only be written. */
function readSetting(name: string): [string, string][] {
  try {
    return [[name, readFileSync(path.join("/proc/sys", name), "utf8").trim()]];
  } catch {
    return [];
  }
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function linesOf(...texts: readonly string[]): Set<string> {
  return new Set(texts.flatMap((text) => text.split("\n")).filter((line) => line.trim() !== ""));
}
