/** What a machine must offer for a cluster with nodes; the first thing that is missing is one sentence. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { findHierarchies } from "./cgroups.ts";
import { ClusterError } from "./cluster-error.ts";
import type { Level } from "./layout.ts";
import { makePlace } from "./record.ts";
import { programsOfAll, programsOfNodes, requirePrograms } from "./required-programs.ts";
import { attempt } from "./run-program.ts";

const bytesPerNode = 1.2e9;
const bytesOfControlPlane = 0.5e9;
const overlayMagic = 0x794c7630;

/** @throws ClusterError */
export async function requireMachine(level: Level, nodeCount: number, root: string): Promise<void> {
  requirePrograms(programsOfAll);
  if (level === "nodes") {
    if (process.getuid?.() !== 0) {
      throw new ClusterError(
        "a cluster with nodes needs root, for namespaces, mounts and control groups; run it with sudo, " +
          "or use --level api, which needs nothing",
      );
    }
    requirePrograms(programsOfNodes);
    findHierarchies();
    await requireKernel();
  }
  await requireRoom(level, nodeCount, root);
}

/** Each feature is tried where it does no harm: in namespaces that end with the attempt. */
async function requireKernel(): Promise<void> {
  const release = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  const features: readonly [feature: string, attempt: string][] = [
    ["network, mount, UTS, IPC, PID and cgroup namespaces", "true"],
    ["overlayfs", overlayAttempt],
    ["veth", "ip link add try0 type veth peer name try1"],
    ["bridge", "ip link add try0 type bridge"],
    ["nftables with NAT", nftAttempt],
  ];
  for (const [feature, command] of features) {
    const refusal = await refusalOf(command);
    if (refusal === null) continue;
    throw new ClusterError(
      `this kernel (${release}) or this container has no ${feature}, which nodes need (${refusal}); ` +
        "use a kernel that has it, or --level api",
    );
  }
}

/** An attempt, since it may be a module that nobody has needed yet. */
const overlayAttempt =
  "mount -t tmpfs try /tmp && cd /tmp && mkdir a b c d && " +
  "mount -t overlay -o lowerdir=a,upperdir=b,workdir=c try d";

const nftAttempt =
  "nft add table ip try && nft add chain ip try c '{ type nat hook postrouting priority 100; }' && " +
  "nft add rule ip try c masquerade";

/** The last line of what it said; null: it works. */
async function refusalOf(command: string): Promise<string | null> {
  const namespaces = ["--net", "--mount", "--uts", "--ipc", "--cgroup", "--pid", "--fork"];
  const { code, stderr } = await attempt("unshare", [...namespaces, "sh", "-c", command]);
  if (code === 0) return null;
  return stderr.trim().split("\n").at(-1) || `its attempt ended with ${code ?? "a signal"}`;
}

async function requireRoom(level: Level, nodeCount: number, root: string): Promise<void> {
  const around = path.dirname(root);
  await makePlace(around);
  const { type, bavail, bsize } = statfsSync(existsSync(root) ? root : around);
  if (level === "nodes" && type === overlayMagic) {
    throw new ClusterError(
      `${root} is on an overlay file system, on which containerd cannot put its own; set ` +
        "LOCKSTEP_CLUSTER_STATE to a directory on ext4 or xfs",
    );
  }
  const needed = bytesOfControlPlane + (level === "nodes" ? nodeCount * bytesPerNode : 0);
  if (bavail * bsize >= needed) return;
  throw new ClusterError(
    `${root} has ${gigabytes(bavail * bsize)} free, and this cluster needs ${gigabytes(needed)}; free some, ` +
      "or set LOCKSTEP_CLUSTER_STATE to another directory",
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
