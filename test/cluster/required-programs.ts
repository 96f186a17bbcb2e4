/** The programs of Debian that a cluster runs with, the package of each, and which are missing. */
import { ClusterError } from "./cluster-error.ts";
import { howToInstall, isThere, packagesOf, type Required } from "./debian-programs.ts";
import { imagePrograms } from "./images/required-programs.ts";

export const programsOfAll: readonly Required[] = [
  ["openssl", "openssl"],
  ["flock", "util-linux"],
  ["ip", "iproute2"],
];

export const programsOfNodes: readonly Required[] = [
  ["containerd", "containerd"],
  ["ctr", "containerd"],
  ["runc", "runc"],
  ["nft", "nftables"],
  ["iptables", "iptables"],
  ["conntrack", "conntrack"],
  ["catatonit", "catatonit"],
  ["unshare", "util-linux"],
  ["nsenter", "util-linux"],
  ["mount", "mount"],
  ...["ptp", "host-local", "portmap", "loopback"].map(
    (name): Required => [`/usr/lib/cni/${name}`, "containernetworking-plugins"],
  ),
];

/** @throws ClusterError that names what is missing. */
export function requirePrograms(programs: readonly Required[]): void {
  const missing = programs.filter(([program]) => !isThere(program));
  if (missing.length === 0) return;
  const names = missing.map(([program]) => program).join(", ");
  throw new ClusterError(`the cluster needs ${names}; ${howToInstall(missing)}`);
}

/** For apt-get install: whatever a cluster with nodes, and the making of its images, lack here. */
export function missingPackages(): string[] {
  const programs = [...programsOfAll, ...programsOfNodes, ...imagePrograms];
  return packagesOf(programs.filter(([program]) => !isThere(program)));
}
