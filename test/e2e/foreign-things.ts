/**
 * Things with names like a cluster's that are none of it: another's link, control group, network
 * namespace, and process with a marker like ours. No `down` may touch them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { until } from "../../bench/waiting.ts";
import { doors, findHierarchies, makeGroup, removeGroup } from "../cluster/cgroups.ts";
import { attempt, run } from "../cluster/run-program.ts";

const bridge = "lockstepx";
const link = "lockstep99n1";
const peer = "lockstep99peer";
const group = "lockstep99-foreign";

/** What the comparison of the machine's states must look at. */
export const foreignMarks = [bridge, link, peer, group];

export interface ForeignThings {
  /** What of them has gone; nothing, it is hoped. */
  readonly gone: () => string[];
  readonly remove: () => Promise<void>;
}

export async function makeForeignThings(): Promise<ForeignThings> {
  // Those of a run that was killed.
  await removeForeignThings();
  const hierarchies = findHierarchies();
  await run("ip", ["link", "add", bridge, "type", "bridge"]);
  await run("ip", ["link", "add", link, "type", "veth", "peer", "name", peer]);
  await run("ip", ["link", "set", link, "master", bridge, "up"]);
  await makeGroup(hierarchies, group);
  // Neither has a child, which could come after the machine's state was read.
  const called = (name: string) => ["bash", "-c", `exec -a "${name}" sleep 3600`];
  const processes = [
    start(...called("/usr/bin/bash boot-node.sh init")),
    start("unshare", "--net", "--mount", ...called("kubelet --node-ip=10.100.0.11")),
  ];
  for (const { pid } of processes) await until("a foreign process", () => isSleeping(pid));
  for (const { pid } of processes) {
    for (const door of doors(hierarchies, group)) writeFileSync(door, String(pid));
  }
  return {
    gone: () =>
      processes.filter((one) => !isAlive(one)).map(({ spawnargs }) => spawnargs.join(" ")),
    remove: removeForeignThings,
  };
}

/** Finds them by their control group and by their names. */
async function removeForeignThings(): Promise<void> {
  const hierarchies = findHierarchies();
  const there = doors(hierarchies, group).filter((door) => existsSync(door));
  const pids = there.flatMap((door) => readFileSync(door, "utf8").split("\n").filter(Boolean));
  for (const pid of new Set(pids)) process.kill(Number(pid), "SIGKILL");
  await removeGroup(hierarchies, group);
  for (const name of [link, bridge]) await attempt("ip", ["link", "delete", name]);
}

/** With the marker of a cluster that is not on this machine. */
function start(...[program = "", ...args]: readonly string[]): ChildProcess {
  const env = {
    ...process.env,
    LOCKSTEP_CLUSTER_ID: "00000000-0000-4000-8000-000000000000",
    LOCKSTEP_CLUSTER_ROLE: "node1",
  };
  return spawn(program, args, { stdio: "ignore", env });
}

/** The last of its names. */
function isSleeping(pid: number | undefined): true | null {
  return readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n" ? true : null;
}

function isAlive({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (exitCode !== null || signalCode !== null) return false;
  return /^State:\t[RSD]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
