/** A node's files can be read by those who will, and say what the layout and the timings say. */
import { expect, test } from "@jest/globals";
import { type Layout, layoutOf, type NodeLayout } from "./layout.ts";
import { nodeFiles } from "./node-files.ts";
import { type Profile, profiles, timingsOf } from "./timings.ts";

const layout = layoutWith("fast");
const files = nodeFiles(layout, second(layout));

test.each([...files.keys()])("%s has a text that whoever reads it can read", (name) => {
  const text = files.get(name) ?? "";
  expect(text.endsWith("\n")).toBe(true);
  expect(text).not.toMatch(/undefined|NaN|\[object/);
  if (/\.(yaml|conflist)$/.test(name)) expect(Object.keys(JSON.parse(text))).not.toEqual([]);
  if (name.endsWith(".toml")) expect(unreadableLines(text)).toEqual([]);
});

test("paths are below /etc, and none leads out of it", () => {
  for (const name of files.keys()) expect(name).toMatch(/^[a-z0-9]([a-z0-9./-]*[a-z0-9])?$/);
  expect([...files.keys()].filter((name) => name.includes(".."))).toEqual([]);
});

test("a node knows its own name, and the addresses of all", () => {
  expect(files.get("hostname")).toBe("node2\n");
  expect(files.get("hosts")).toBe(
    "127.0.0.1 localhost\n10.111.0.11 node1\n10.111.0.12 node2\n10.111.0.13 node3\n",
  );
  expect(files.get("resolv.conf")).toBe("nameserver 10.111.0.1\n");
});

test("a node's pods get addresses of its own network", () => {
  const { name, plugins } = parsed("lockstep/cni/10-pods.conflist");
  expect(name).toBe("pods");
  expect(plugins[0].ipam.ranges).toEqual([[{ subnet: "10.111.2.0/24" }]]);
});

test("kube-proxy knows whose it is, and which addresses are the cluster's", () => {
  const proxy = parsed("kubernetes/kube-proxy.yaml");
  expect([proxy.hostnameOverride, proxy.clusterCIDR]).toEqual(["node2", "10.111.0.0/16"]);
});

test.each(profiles)("kubelet gets the timings of the profile %s", (profile) => {
  const other = layoutWith(profile);
  const kubelet = JSON.parse(nodeFiles(other, second(other)).get("kubernetes/kubelet.yaml") ?? "");
  const { nodeStatusUpdateFrequency, nodeStatusReportFrequency, nodeLeaseDurationSeconds } =
    timingsOf[profile];
  expect(kubelet).toMatchObject({
    ...{ nodeStatusUpdateFrequency, nodeStatusReportFrequency, nodeLeaseDurationSeconds },
  });
});

test("containerd starts pods with the image that every node imports first", () => {
  expect(files.get("containerd/config.toml")).toContain('sandbox_image = "localhost/pause:1"');
});

function layoutWith(profile: Profile): Layout {
  return layoutOf({ name: "n", number: 111, level: "nodes", nodeCount: 3, profile }, "/c");
}

function second({ nodes }: Layout): NodeLayout {
  const node = nodes[1];
  if (node === undefined) throw new Error("the layout has no second node");
  return node;
}

function parsed(name: string) {
  return JSON.parse(files.get(name) ?? "");
}

/** Lines that are none of what this file uses of TOML: tables, keys with plain values, lists of texts. */
function unreadableLines(text: string): string[] {
  const value = '("[^"]*"|true|false|\\d+|\\[)';
  const line = new RegExp(`^\\s*(#.*|\\[[^\\]]+\\]|[a-z_A-Z]+ = ${value}|("[^"]*",? ?)+|\\])$`);
  return text
    .trim()
    .split("\n")
    .filter((one) => !line.test(one.trimEnd()));
}
