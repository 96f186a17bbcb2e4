/** Two clusters share nothing, and every name that the kernel sees is one that it takes. */
import { expect, test } from "@jest/globals";
import {
  type ClusterSpec,
  directoryError,
  type Layout,
  type Level,
  layoutOf,
  levels,
  nameError,
  nodesMax,
  numbersMax,
  numbersMin,
  serviceNetwork,
} from "./layout.ts";
import { overlaps } from "./network.ts";

const linkNameLengthMax = 15;
const numbers = Array.from({ length: numbersMax - numbersMin + 1 }, (_, i) => numbersMin + i);

test.each(
  levels.flatMap((level) => [
    { level, names: "different names", nameOf: (number: number) => `c${number}`, place: "/all" },
    { level, names: "one name, in two places", nameOf: () => "lockstep", place: null },
  ]),
)(
  "clusters of level $level with $names share no address, port, link, group or file",
  ({ level, nameOf, place }) => {
    const owners = new Map<string, number>();
    for (const number of numbers) {
      const changes = { name: nameOf(number), number, level, nodeCount: nodesMax };
      for (const own of ownOf(layout(changes, place ?? `/place${number}`))) {
        expect({ own, owner: owners.get(own) ?? number }).toEqual({ own, owner: number });
        owners.set(own, number);
      }
    }
    expect(owners.size).toBeGreaterThan(numbers.length * 8);
  },
);

test("an API server that nodes ask is on their bridge, another one on loopback", () => {
  const hosts = levels.map((level) => [level, layout({ level, number: 123 }).apiUrl]);
  expect(Object.fromEntries(hosts)).toEqual({
    api: "https://127.77.123.1:16443",
    nodes: "https://10.123.0.1:16443",
    "fake-nodes": "https://127.77.123.1:16443",
  });
});

test("only the level with real nodes has real nodes, and each has its number from 1", () => {
  const counts = levels.map((level) => [level, layout({ level, nodeCount: 3 }).nodes.length]);
  expect(Object.fromEntries(counts)).toEqual({ api: 0, nodes: 3, "fake-nodes": 0 });
  const [first, , third] = layout({ number: 107, nodeCount: 3 }).nodes;
  expect([first?.name, first?.index, first?.address]).toEqual(["node1", 1, "10.107.0.11"]);
  expect([third?.name, third?.index, third?.podNetwork]).toEqual(["node3", 3, "10.107.3.0/24"]);
});

test("the kernel takes the name of every link", () => {
  for (const number of numbers) {
    const { bridge, nodes } = layout({ number, nodeCount: nodesMax });
    for (const name of [bridge, ...nodes.map((node) => node.link)]) {
      expect(name).toMatch(/^[a-z0-9]+$/);
      expect(name.length).toBeLessThanOrEqual(linkNameLengthMax);
    }
  }
});

test("nodes and pods are inside the cluster's network, and Services outside every one", () => {
  for (const number of numbers) {
    const { network, nodeNetwork, machineAddress, nodes } = layout({ number, nodeCount: nodesMax });
    const inside = nodes.flatMap((node) => [node.address, node.podNetwork]);
    for (const one of [network, nodeNetwork, machineAddress, ...inside])
      expect({ one, inside: overlaps(one, number) }).toEqual({ one, inside: true });
    expect(overlaps(serviceNetwork, number)).toBe(false);
  }
});

test.each<[string, boolean]>([
  ["lockstep", true],
  ["a", true],
  ["e1", true],
  ["a-b--c", true],
  ["abcdefghijklmnopqrst", true],
  ["abcdefghijklmnopqrstu", false],
  ["", false],
  ["1a", false],
  ["-a", false],
  ["a-", false],
  ["A", false],
  ["a_b", false],
  ["a.b", false],
  ["a/b", false],
  ["..", false],
  ["a b", false],
  ["a\n", false],
  ["ä", false],
])("a cluster named %j: %s", (name, isAccepted) => {
  const error = nameError(name);
  if (isAccepted) expect(error).toBeNull();
  else expect(error).toMatch(/^a cluster cannot be named ".*"; give 1 to 20 small letters/s);
});

test.each<[string, Level, boolean]>([
  ["/var/lib/a b-ä.d/clusters", "nodes", true],
  ["/var/lib/a,b", "nodes", false],
  ["/var/lib/a:b", "nodes", false],
  ["/var/lib/a\\b", "nodes", false],
  ['/var/lib/a"b', "nodes", false],
  ["/var/lib/a,b", "api", true],
])("files in %s, level %s: %s", (place, level, isAccepted) => {
  const error = directoryError(layout({ level }, place));
  if (isAccepted) expect(error).toBeNull();
  else
    expect(error).toMatch(/^nodes cannot have their disks in ".*", as .*; set LOCKSTEP_CLUSTER_/);
});

function layout(
  changes: Partial<ClusterSpec> & { level?: Level } = {},
  clusters = "/clusters",
): Layout {
  const spec: ClusterSpec = {
    ...{ name: "one", number: 100, level: "nodes", nodeCount: 2, profile: "fast" },
    ...changes,
  };
  return layoutOf(spec, clusters);
}

/** All that the kernel would not give to two. */
function ownOf(one: Layout): string[] {
  const api = [one.etcdUrl, one.etcdPeerUrl, one.apiUrl];
  const host = new URL(one.etcdUrl).hostname;
  return [
    ...[...api, `${host}:${one.controllerManagerPort}`, `${host}:${one.schedulerPort}`],
    ...[one.directory, one.etcdData, one.kubeconfig, one.bridge, one.machineAddress, one.cgroup],
    ...one.nodes.flatMap((node) => [node.address, node.podNetwork, node.link, node.cgroup]),
  ];
}
