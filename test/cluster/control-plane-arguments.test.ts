/** The control plane's command lines: what differs between levels and profiles, and the files they name. */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { writeFilesOf } from "./control-plane.ts";
import { argumentsOf, controlPlanePrograms, kubeconfigOf } from "./control-plane-arguments.ts";
import { type ClusterSpec, type Layout, type Level, layoutOf, levels } from "./layout.ts";
import { profiles, timingsOf } from "./timings.ts";

test.each(levels)(
  "at level %s, every file that is named is one that is made",
  async (level) => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "control-plane-"));
    try {
      const layout = layoutIn(directory, { level });
      await writeFilesOf(layout);
      const named = controlPlanePrograms.flatMap((program) =>
        filesIn(argumentsOf(program, layout), directory),
      );
      expect(named.length).toBeGreaterThan(20);
      expect(named.filter((file) => !existsSync(file))).toEqual([]);
      expect(await openToOthers(layout)).toEqual([]);
      const users = layout.nodes.map((node) => kubeconfigOf(layout, node.name));
      for (const file of [layout.kubeconfig, kubeconfigOf(layout, "kube-proxy"), ...users]) {
        const { clusters } = JSON.parse(await readFile(file, "utf8"));
        expect(clusters[0].cluster.server).toBe(layout.apiUrl);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  60_000,
);

test("without nodes, nobody is told the API server's address", () => {
  const differing = (level: Level) =>
    argumentsOf("kube-apiserver", layoutIn("/c", { level })).filter((argument) => {
      return /advertise|reconciler|bind-address/.test(argument);
    });
  const alone = ["--bind-address=127.77.142.1", "--endpoint-reconciler-type=none"];
  expect(differing("api")).toEqual(alone);
  expect(differing("fake-nodes")).toEqual(alone);
  expect(differing("nodes")).toEqual([
    "--bind-address=10.142.0.1",
    "--advertise-address=10.142.0.1",
  ]);
});

test.each(profiles)("the timings of the profile %s arrive", (profile) => {
  const layout = layoutIn("/c", { profile });
  const timings = timingsOf[profile];
  expect(argumentsOf("kube-apiserver", layout)).toEqual(
    expect.arrayContaining([
      `--default-not-ready-toleration-seconds=${timings.tolerationSeconds}`,
      `--default-unreachable-toleration-seconds=${timings.tolerationSeconds}`,
    ]),
  );
  expect(argumentsOf("kube-controller-manager", layout)).toEqual(
    expect.arrayContaining([
      `--node-monitor-period=${timings.nodeMonitorPeriod}`,
      `--node-monitor-grace-period=${timings.nodeMonitorGracePeriod}`,
      `--node-eviction-rate=${timings.nodeEvictionRate}`,
      `--secondary-node-eviction-rate=${timings.secondaryNodeEvictionRate}`,
      `--large-cluster-size-threshold=${timings.largeClusterSize}`,
    ]),
  );
});

test.each(controlPlanePrograms)("%s gets each option once, with a value", (program) => {
  const given = argumentsOf(program, layoutIn("/c", {}));
  const names = given.map((argument) => argument.split("=")[0]);
  expect(new Set(names).size).toBe(names.length);
  expect(given.filter((argument) => !/^--[a-z-]+(=.+)?$/.test(argument))).toEqual([]);
  expect(given.join(" ")).not.toMatch(/undefined|NaN|\[object/);
});

test("of etcd's own authority, nobody but the API server has a certificate", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "control-plane-"));
  try {
    const layout = layoutIn(directory, {});
    await writeFilesOf(layout);
    const files = (await readdir(layout.pki)).filter((file) => file.endsWith(".crt"));
    const read = async (file: string) =>
      new X509Certificate(await readFile(path.join(layout.pki, file)));
    const authority = await read("etcd-ca.crt");
    const holders: string[] = [];
    for (const file of files)
      if ((await read(file)).verify(authority.publicKey)) holders.push(file);
    expect(holders.sort()).toEqual(["apiserver-etcd.crt", "etcd-ca.crt", "etcd.crt"]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);

test("the control plane listens only on addresses of its own cluster", () => {
  const layout = layoutIn("/c", {});
  const hosts = controlPlanePrograms.flatMap((program) => {
    const given = argumentsOf(program, layout).filter((a) =>
      /^--(bind-address|listen-.*)=/.test(a),
    );
    return given.map((argument) => argument.slice(argument.indexOf("=") + 1));
  });
  expect(hosts).toEqual([
    ...["https://127.77.142.1:12379", "https://127.77.142.1:12380"],
    ...["10.142.0.1", "127.77.142.1", "127.77.142.1"],
  ]);
});

function layoutIn(clusters: string, changes: Partial<ClusterSpec>): Layout {
  const spec: ClusterSpec = {
    ...{ name: "one", number: 142, level: "nodes", nodeCount: 1, profile: "fast" },
    ...changes,
  };
  return layoutOf(spec, clusters);
}

/** Of the cluster's directory and its keys, what another user could read. */
async function openToOthers({ directory, pki }: Layout): Promise<string[]> {
  const keys = (await readdir(pki)).filter((file) => file.endsWith(".key"));
  expect(keys.length).toBeGreaterThan(10);
  const found: string[] = [];
  for (const file of [directory, pki, ...keys.map((key) => path.join(pki, key))]) {
    if (((await stat(file)).mode & 0o077) !== 0) found.push(file);
  }
  return found;
}

/** The values that are below the directory. */
function filesIn(given: readonly string[], directory: string): string[] {
  const values = given.map((argument) => argument.slice(argument.indexOf("=") + 1));
  return values.filter((value) => value.startsWith(`${directory}/`));
}
