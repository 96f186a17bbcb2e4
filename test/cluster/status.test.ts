/** What people read about a cluster. */
import { expect, test } from "@jest/globals";
import { type ClusterStatus, describeStatus } from "./status.ts";

const quiet: ClusterStatus = {
  ...{ name: "one", level: "api", profile: "fast", api: "ready", missing: [], nodes: [] },
  ...{
    apiUrl: "https://127.77.100.1:16443",
    kubeconfig: "/c/one/admin.kubeconfig",
    memoryBytes: 0,
  },
};

test("a cluster without nodes is three lines, one of them to be pasted", () => {
  expect(describeStatus(quiet)).toBe(
    `cluster one: level api, timings fast
  API server ready, https://127.77.100.1:16443
  export KUBECONFIG=/c/one/admin.kubeconfig
`,
  );
});

test("programs that are missing, and each node's power, readiness and cable, are said", () => {
  const status: ClusterStatus = {
    ...quiet,
    ...{ level: "nodes", api: "not ready", memoryBytes: 600 * 2 ** 20 },
    missing: ["etcd", "kube-scheduler"],
    nodes: [
      { name: "node1", address: "10.100.0.11", power: "on", cable: "plugged", ready: true },
      { name: "node2", address: "10.100.0.12", power: "frozen", cable: "cut", ready: false },
      { name: "node16", address: "10.100.0.26", power: "off", cable: "plugged", ready: null },
    ],
  };
  expect(describeStatus(status)).toBe(
    `cluster one: level nodes, timings fast, 600 MiB
  API server not ready, https://127.77.100.1:16443
  export KUBECONFIG=/c/one/admin.kubeconfig
  etcd does not run
  kube-scheduler does not run
  node1     10.100.0.11     on       Ready
  node2     10.100.0.12     frozen   NotReady  cable cut
  node16    10.100.0.26     off      unknown
`,
  );
});

test("fake nodes are counted, not listed", () => {
  const status = { ...quiet, level: "fake-nodes", fakeNodes: { count: 50, ready: 49 } };
  expect(describeStatus(status)).toContain("\n  fake nodes: 49 of 50 Ready\n");
});
