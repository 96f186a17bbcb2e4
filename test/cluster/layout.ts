/**
 * Where everything of a cluster is: its names, addresses and files, all of them functions of its
 * name and its number. A number is one cluster's on this machine, a name is in its directory of clusters:
 * two clusters share nothing.
 */
import path from "node:path";
import type { Profile } from "./timings.ts";

export const levels = ["api", "nodes", "fake-nodes"] as const;

/**
 * api: etcd and kube-apiserver. nodes: the whole control plane and real nodes. fake-nodes: the whole
 * control plane, and nodes and pods that kwok only pretends.
 */
export type Level = (typeof levels)[number];

/** What a cluster is, whole: its record holds this, and everything else follows from it. */
export interface ClusterSpec {
  readonly name: string;
  /** Tells its networks and ports from those of other clusters, `numbersMin` to `numbersMax`. */
  readonly number: number;
  readonly level: Level;
  readonly nodeCount: number;
  readonly profile: Profile;
}

export const numbersMin = 100;
export const numbersMax = 199;
export const nodesMax = 16;
export const fakeNodesMax = 1000;
const nameLengthMax = 20;

export const serviceNetwork = "10.96.0.0/16";
/** The first address of `serviceNetwork`: the API server inside the cluster. */
export const kubernetesServiceAddress = "10.96.0.1";
export const clusterDnsAddress = "10.96.0.10";
export const clusterDomain = "cluster.local";
/** Where every node sees the one directory that stands for a network volume. */
export const sharedDirectoryInNode = "/var/lib/lockstep-shared";

/** Each on an address that no other cluster has. */
export const ports = {
  etcd: 12379,
  etcdPeer: 12380,
  api: 16443,
  controllerManager: 16257,
  scheduler: 16259,
};

export interface NodeLayout {
  readonly name: string;
  /** From 1. */
  readonly index: number;
  readonly address: string;
  readonly podNetwork: string;
  /** The end of its cable in the machine's network namespace, on the cluster's bridge. */
  readonly link: string;
  /** Its disk and the files it boots from. */
  readonly directory: string;
  readonly cgroup: string;
}

export interface Layout {
  readonly spec: ClusterSpec;
  readonly directory: string;
  readonly logs: string;
  readonly pki: string;
  readonly etcdData: string;
  readonly images: string;
  readonly shared: string;
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly bridge: string;
  /** Every address of nodes and pods. */
  readonly network: string;
  /** Of nodes on the bridge; the machine has the first address. */
  readonly nodeNetwork: string;
  readonly machineAddress: string;
  readonly etcdUrl: string;
  readonly etcdPeerUrl: string;
  readonly apiAddress: string;
  readonly apiPort: number;
  readonly apiUrl: string;
  readonly controllerManagerPort: number;
  readonly schedulerPort: number;
  /** Below each cgroup hierarchy. */
  readonly cgroup: string;
  readonly nodes: readonly NodeLayout[];
}

/** `clusters` is the directory of all clusters' files. */
export function layoutOf(spec: ClusterSpec, clusters: string): Layout {
  const directory = path.join(clusters, spec.name);
  const loopback = loopbackAddress(spec.number);
  const machineAddress = `10.${spec.number}.0.1`;
  // Clusters of other state directories may have this name, but not this number.
  const cgroup = `lockstep${spec.number}-${spec.name}`;
  const apiAddress = spec.level === "nodes" ? machineAddress : loopback;
  return {
    spec,
    directory,
    logs: path.join(directory, "logs"),
    pki: path.join(directory, "pki"),
    etcdData: path.join(directory, "etcd"),
    images: path.join(directory, "images"),
    shared: path.join(directory, "shared"),
    kubeconfig: path.join(directory, "admin.kubeconfig"),
    bridge: `lockstep${spec.number}`,
    network: `10.${spec.number}.0.0/16`,
    nodeNetwork: `10.${spec.number}.0.0/24`,
    machineAddress,
    etcdUrl: `https://${loopback}:${ports.etcd}`,
    etcdPeerUrl: `https://${loopback}:${ports.etcdPeer}`,
    apiAddress,
    apiPort: ports.api,
    apiUrl: `https://${apiAddress}:${ports.api}`,
    controllerManagerPort: ports.controllerManager,
    schedulerPort: ports.scheduler,
    cgroup,
    nodes: spec.level === "nodes" ? nodesOf(spec, directory, cgroup) : [],
  };
}

/** The whole of 127.0.0.0/8 is this machine: each cluster has an address there for its own ports. */
export function loopbackAddress(number: number): string {
  return `127.77.${number}.1`;
}

function nodesOf(spec: ClusterSpec, directory: string, cgroup: string): NodeLayout[] {
  return Array.from({ length: spec.nodeCount }, (_, i) => {
    const index = i + 1;
    const name = `node${index}`;
    return {
      name,
      index,
      address: `10.${spec.number}.0.${10 + index}`,
      podNetwork: `10.${spec.number}.${index}.0/24`,
      link: `lockstep${spec.number}n${index}`,
      directory: path.join(directory, "nodes", name),
      cgroup: `${cgroup}/${name}`,
    };
  });
}

/** What is wrong with where a cluster's files would be; null: nothing. */
export function directoryError({ directory, spec }: Layout): string | null {
  // The kernel reads the path of a node's disk among the options of a mount, which these end.
  if (spec.level !== "nodes" || !/[,:\\"\n]/.test(directory)) return null;
  return (
    `nodes cannot have their disks in ${JSON.stringify(directory)}, as the options of a mount have no place for ` +
    'the signs , : \\ and "; set LOCKSTEP_CLUSTER_STATE to a directory whose path has none of them'
  );
}

/** What is wrong with a cluster's name; null: nothing. */
export function nameError(name: string): string | null {
  if (/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(name) && name.length <= nameLengthMax) return null;
  return (
    `a cluster cannot be named "${name}"; give 1 to ${nameLengthMax} small letters, digits and "-", ` +
    "beginning with a letter and not ending with -"
  );
}
