/** Which source a program comes from, and what users read when there is none. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { BinariesError } from "./binaries-error.ts";
import type { BinaryName } from "./binary-table.ts";
import { type FoundBinaries, findBinariesIn, type Surroundings } from "./find-binaries.ts";
import type { BuildOrder } from "./go-build.ts";

const tools = fileURLToPath(new URL("./tools/", import.meta.url));

let folder: string;
let said: string[];
/** What the stand-in for Go was asked to build. */
let builds: (readonly BinaryName[])[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "find-binaries-"));
  said = [];
  builds = [];
  await program("go-is-here/go", "");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a program comes from the first source that has it", async () => {
  await find(["coredns"]);
  await program("mine/etcd", "mine");
  await program("assets/etcd", "assets");
  await program("assets/kubectl", "assets");
  const environment = {
    LOCKSTEP_CLUSTER_BIN: path.join(folder, "mine"),
    KUBEBUILDER_ASSETS: path.join(folder, "assets"),
  };
  builds = [];
  const found = await findThere(["etcd", "kubectl", "coredns", "kubelet"], environment);
  expect(await texts(found)).toEqual({
    etcd: "mine",
    kubectl: "assets",
    coredns: "built coredns",
    kubelet: "built kubelet",
  });
  expect(builds).toEqual([["kubelet"]]);
});

test("programs of one group are built at once, each once, and then come from the cache", async () => {
  const names: BinaryName[] = ["kubelet", "kube-proxy", "etcd"];
  const first = await findThere(names);
  expect(builds).toEqual([["etcd"], ["kubelet", "kube-proxy"]]);
  expect(first.steps.map((step) => step.name)).toContain("etcd: kept");
  const second = await findThere(names);
  expect(builds).toHaveLength(2);
  expect(second.steps).toEqual([]);
  expect(second.paths).toEqual(first.paths);
  expect(await readdir(path.join(folder, "cache", "cluster", "building"))).toEqual([]);
});

test("a damaged program in the cache is built again, with a word about it", async () => {
  const found = await findThere(["etcd", "kubelet"]);
  const etcd = found.paths.get("etcd") ?? "";
  await writeFile(etcd, "rotten");
  const again = await findThere(["etcd", "kubelet"]);
  expect(await texts(again)).toEqual({ etcd: "built etcd", kubelet: "built kubelet" });
  expect(builds).toEqual([["etcd"], ["kubelet"], ["etcd"]]);
  expect(said.join("\n")).toContain(`${etcd} is not used`);
});

test("two that look at the same time build once", async () => {
  const [one, other] = await Promise.all([findThere(["etcd"]), findThere(["etcd"])]);
  expect(builds).toEqual([["etcd"]]);
  expect(other.paths).toEqual(one.paths);
  expect(said.join("\n")).toContain(`process ${process.pid} is building`);
});

test("what a killed build left is removed by the next", async () => {
  await program("cache/cluster/building/build-old/kubelet", "half");
  await findThere(["etcd"]);
  expect(await readdir(path.join(folder, "cache", "cluster", "building"))).toEqual([]);
});

test.each<[string, BinaryName, Partial<Surroundings>, boolean, RegExp]>([
  [
    "without Go",
    "etcd",
    { environment: { PATH: "" } },
    true,
    /etcd.*install Go 1\.26.*LOCKSTEP_CLU/,
  ],
  ["when it must not be built", "kwok", {}, false, /needs kwok: .*not to be built/],
  [
    "when the build fails",
    "kwok",
    {
      build: async () => await Promise.reject(new BinariesError("build failed", "no such module")),
    },
    true,
    /needs kwok: no such module/,
  ],
])("%s, a missing program is missing for one reason", async (_, name, changes, mayBuild, why) => {
  const found = await find([name], { mayBuild, ...changes });
  expect(found).toEqual({ kind: "missing", why: expect.stringMatching(why) });
});

test("without Go, what is in the cache is still found", async () => {
  await findThere(["etcd"]);
  const found = await find(["etcd"], { environment: { PATH: "" }, mayBuild: false });
  expect(found.kind).toBe("there");
});

test.each<[string, string, RegExp]>([
  ["is not there", "nowhere", /LOCKSTEP_CLUSTER_BIN names .*nowhere, which is not there; /],
  ["is a file", "go-is-here/go", /go-is-here\/go, which is no folder; /],
  [
    "holds a program that cannot be run",
    "plain",
    /plain\/etcd.*no program that can be run; make it/,
  ],
])("a named folder that %s is an error, not a reason to build", async (_, name, message) => {
  await program("plain/etcd", "text");
  await chmod(path.join(folder, "plain", "etcd"), 0o644);
  const environment = { LOCKSTEP_CLUSTER_BIN: path.join(folder, name) };
  await expect(find(["etcd"], { environment })).rejects.toThrow(message);
  expect(builds).toEqual([]);
});

const script = (text: string) => `#!/bin/sh\n${text}\n`;
const kubectlOf = (version: string) => {
  const text = JSON.stringify({
    clientVersion: { gitVersion: version },
    kustomizeVersion: "v5.8.1",
  });
  return script(`[ "$*" = "version --client -o json" ] && echo '${text}'`);
};
const kubeletOf = (version: string) => {
  return script(`[ "$*" = --version ] && echo "Kubernetes ${version}"`);
};

test.each<[string, BinaryName, string, string]>([
  ["a kubectl", "kubectl", kubectlOf("v1.35.9"), "v1.35.9"],
  ["a kubelet", "kubelet", kubeletOf("v1.3.6-rc.1"), "v1.3.6-rc.1"],
  ["a kube-apiserver", "kube-apiserver", kubeletOf("v2.36.3"), "v2.36.3"],
])("%s of another version in a named folder is refused", async (_, name, text, version) => {
  await program(`assets/${name}`, text);
  const environment = { KUBEBUILDER_ASSETS: path.join(folder, "assets") };
  const refused = find(["etcd", name], { environment });
  await expect(refused).rejects.toThrow(
    `${folder}/assets/${name}, in the folder that KUBEBUILDER_ASSETS names, is of Kubernetes ${version}, and ` +
      "the cluster is of v1.36; unset KUBEBUILDER_ASSETS, or name a folder with programs of that version",
  );
  expect(builds).toEqual([]);
});

test.each<[string, BinaryName, string]>([
  ["of our version", "kubectl", kubectlOf("v1.36.0")],
  ["of our version", "kubelet", kubeletOf("v1.36.99+k3s1")],
  ["that does not tell its version", "kubelet", script("echo Kubernetes; exit 3")],
  ["that is not of Kubernetes itself", "etcd", kubeletOf("v1.35.0")],
])("a program %s is taken from a named folder: %s", async (_, name, text) => {
  await program(`assets/${name}`, text);
  const environment = { KUBEBUILDER_ASSETS: path.join(folder, "assets") };
  const found = await findThere([name], environment);
  expect(found.paths.get(name)).toBe(path.join(folder, "assets", name));
});

async function find(
  names: readonly BinaryName[],
  changes: Partial<Surroundings> & { readonly mayBuild?: boolean } = {},
): Promise<FoundBinaries> {
  const { mayBuild = true, environment = {}, ...rest } = changes;
  const say = (text: string) => said.push(text);
  return await findBinariesIn(
    names,
    { mayBuild, say },
    {
      environment: { PATH: path.join(folder, "go-is-here"), ...environment },
      cache: path.join(folder, "cache"),
      tools,
      build,
      ...rest,
    },
  );
}

async function findThere(
  names: readonly BinaryName[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Extract<FoundBinaries, { kind: "there" }>> {
  const found = await find(names, { environment });
  if (found.kind === "missing") throw new Error(found.why);
  return found;
}

/** In place of Go. */
async function build(_: unknown, order: BuildOrder) {
  builds.push(order.names);
  for (const name of order.names) {
    await writeFile(path.join(order.output, name), `built ${name}`, { mode: 0o755 });
  }
  return [{ name: `${order.group.name}: programs`, seconds: 1 }];
}

async function program(name: string, text: string): Promise<void> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o755 });
}

async function texts(found: Extract<FoundBinaries, { kind: "there" }>) {
  const entries = [...found.paths].map(async ([name, file]) => [
    name,
    await readFile(file, "utf8"),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}
