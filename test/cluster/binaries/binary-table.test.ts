/** The table of the programs against what is pinned under tools/. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import {
  binaryNames,
  buildArguments,
  buildFlags,
  buildGroups,
  goVersionMin,
  groupsFor,
  helmVersion,
  kubernetesVersion,
  provisionerVersion,
} from "./binary-table.ts";

const tools = fileURLToPath(new URL("./tools/", import.meta.url));
const modules = readdirSync(tools);
const goMod = (module: string) => readFileSync(path.join(tools, module, "go.mod"), "utf8");

test.each([
  ["k8s.io/kubernetes", "kube", kubernetesVersion],
  ["github.com/rancher/local-path-provisioner", "kube", provisionerVersion],
  ["helm.sh/helm/v3", "helm", helmVersion],
])("%s calls itself what go.mod of %s pins: %s", (dependency, module, version) => {
  const pinned = goMod(module).match(new RegExp(`^(?:require |\\s)${dependency} (\\S+)`, "m"))?.[1];
  expect(pinned).toBe(version);
});

test.each([
  ["kube", 25],
  ["helm", 7],
])("the parts of Kubernetes in %s have the version that goes with its release", (module, count) => {
  const parts = [...goMod(module).matchAll(/^\s(k8s\.io\/\S+) => \1 v0\.(\d+\.\d+)$/gm)];
  const versions = new Set(parts.map(([, , version]) => `v1.${version}`));
  expect([...versions]).toEqual([kubernetesVersion]);
  expect(parts.length).toBeGreaterThan(count);
});

test("what Helm and Kubernetes both need is pinned to the same, so that it is compiled once", () => {
  const pinned = (module: string) => [...goMod(module).matchAll(/^\s\S+ => (\S+ \S+)$/gm)];
  const ofKubernetes = new Set(pinned("kube").map(([, what]) => what));
  const ofHelm = pinned("helm").map(([, what]) => what);
  expect(ofHelm.filter((what) => !ofKubernetes.has(what))).toEqual([]);
  expect(ofHelm.length).toBeGreaterThan(50);
});

test("helm takes the cluster's version of Kubernetes for its default", () => {
  const [part] = groupsFor(["helm"]);
  const [major, minor] = kubernetesVersion.slice(1).split(".");
  const stamps = Object.fromEntries(part?.group.stamps ?? []);
  for (const place of ["pkg/chartutil", "pkg/lint/rules"]) {
    expect(stamps[`helm.sh/helm/v3/${place}.k8sVersionMajor`]).toBe(major);
    expect(stamps[`helm.sh/helm/v3/${place}.k8sVersionMinor`]).toBe(minor);
  }
});

test("no module wants a newer Go than users are told to install", () => {
  const wanted = modules.map((module) => goMod(module).match(/^go (\d+\.\d+)/m)?.[1]);
  expect(wanted).toEqual(modules.map(() => goVersionMin));
});

test("every program is made by exactly one group, and every module by some group used", () => {
  const made = buildGroups.flatMap((group) => [...group.packages.keys()]);
  expect([...made].sort()).toEqual([...binaryNames].sort());
  expect([...new Set(buildGroups.map((group) => group.module))].sort()).toEqual(
    [...modules].sort(),
  );
});

test.each(
  buildGroups.flatMap((group) => [...group.packages].map(([n, p]) => [n, p, group.module])),
)("%s is built from %s, which its module pins, under its own name", (name, place, module) => {
  // Go names a program after the last part of its package's path.
  expect(path.basename(place)).toBe(name);
  if (place.startsWith("./")) {
    expect(existsSync(path.join(tools, module, place, "main.go"))).toBe(true);
  } else {
    expect(goMod(module)).toMatch(new RegExp(`^(tool |\\s)${place}$`, "m"));
  }
});

test("programs of one group are built by one command, and only those that are asked for", () => {
  const parts = groupsFor(["kubelet", "etcd", "coredns"]);
  expect(parts.map(({ group, names }) => [group.name, names])).toEqual([
    ["etcd", ["etcd"]],
    ["kubernetes", ["kubelet", "coredns"]],
  ]);
  expect(groupsFor([])).toEqual([]);
});

test("the command for go says everything that decides the result", () => {
  const [kubernetes] = groupsFor(["kubectl", "kubelet"]);
  if (kubernetes === undefined) throw new Error("no group makes kubectl");
  const { group, names } = kubernetes;
  const args = buildArguments(group, names, "/there");
  const flags = buildFlags(group);
  expect(args).toEqual([
    "build",
    ...flags,
    "-gcflags=all=-dwarf=false",
    "-v",
    "-o",
    "/there/",
    "k8s.io/kubernetes/cmd/kubelet",
    "k8s.io/kubernetes/cmd/kubectl",
  ]);
  expect(flags.slice(0, 4)).toEqual(["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"]);
  const [major, minor] = kubernetesVersion.slice(1).split(".");
  for (const place of ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]) {
    expect(flags[4]).toContain(`-X ${place}.gitVersion=${kubernetesVersion}`);
    expect(flags[4]).toContain(`-X ${place}.gitMajor=${major} -X ${place}.gitMinor=${minor} `);
  }
});
