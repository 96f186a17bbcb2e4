/** Directories of volumes come and go with their claims, in whatever state they are found. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "../../../bench/waiting.ts";
import { ApiError } from "./api-client.ts";
import type { KubernetesObject } from "./kubernetes-objects.ts";
import { listOf, ScriptedSource } from "./scripted-source.ts";
import { VolumeProvisioner } from "./volume-provisioner.ts";
import { nodeProvisioner, sharedProvisioner } from "./volumes.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "volumes-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const classes = [
  { metadata: { name: "standard" }, provisioner: nodeProvisioner },
  { metadata: { name: "shared" }, provisioner: sharedProvisioner },
];

function claim(uid: string, storageClassName: string, node = "node1") {
  const annotations = { "volume.kubernetes.io/selected-node": node };
  return {
    metadata: { name: uid, namespace: "shop", uid, annotations },
    spec: { storageClassName, accessModes: ["ReadWriteOnce"] },
  };
}

function released(name: string) {
  return {
    metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": sharedProvisioner } },
    spec: { persistentVolumeReclaimPolicy: "Delete" },
    status: { phase: "Released" },
  };
}

/** One round over these claims and volumes; what the server answers then is the caller's. */
async function reconcile(
  claims: readonly KubernetesObject[],
  volumes: readonly KubernetesObject[],
  answers: readonly (object | Error)[],
) {
  const source = new ScriptedSource();
  const provisioner = new VolumeProvisioner(
    source,
    {
      standard: { node1: path.join(folder, "node1") },
      shared: path.join(folder, "shared"),
      inNodes: { standard: "/volumes", shared: "/shared" },
    },
    () => {},
  );
  const end = new AbortController();
  source.answers.push(listOf("1", claims), listOf("1", volumes), listOf("1", classes));
  const watches = provisioner.watched.map((watch) => watch.run(end.signal, () => {}));
  const { watched } = provisioner;
  await until("the lists", () => (watched.every(({ isListed }) => isListed) ? true : null));
  source.asked.length = 0;
  source.answers.push(...answers);
  const reports: string[] = [];
  await provisioner.reconcile((line) => reports.push(line));
  end.abort();
  await Promise.all(watches);
  return { asked: source.asked.filter((line) => !line.startsWith("WATCH")), reports };
}

const collection = "/api/v1/persistentvolumes";

test("a claim gets its directory where its node and no other has it", async () => {
  const { asked } = await reconcile([claim("a", "standard"), claim("b", "shared")], [], [{}, {}]);
  expect(existsSync(path.join(folder, "node1/pvc-a"))).toBe(true);
  expect(existsSync(path.join(folder, "shared/pvc-b"))).toBe(true);
  expect(asked).toEqual([`POST ${collection}`, `POST ${collection}`]);
});

test("a claim whose node nobody knows keeps no other from its volume", async () => {
  const claims = [claim("a", "standard", "moon"), claim("b", "standard")];
  const { reports } = await reconcile(claims, [], [{}]);
  expect(reports[0]).toBe("no directory is known for volumes of moon");
  expect(existsSync(path.join(folder, "node1/pvc-b"))).toBe(true);
});

test("a volume that was told to the cluster before is not told again", async () => {
  const known = { metadata: { name: "pvc-a" }, spec: {}, status: { phase: "Available" } };
  expect((await reconcile([claim("a", "standard")], [known], [])).asked).toEqual([]);
  // The watch may not have told of it yet.
  const { reports } = await reconcile([claim("a", "standard")], [], [new ApiError(409, "exists")]);
  expect(reports[0]).toMatch(/^made /);
});

test("the data of a volume whose claim is gone is deleted, then the volume", async () => {
  const directory = path.join(folder, "shared/pvc-a");
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, "file"), "data");
  const { asked } = await reconcile([], [released("pvc-a")], [{}]);
  expect(existsSync(directory)).toBe(false);
  expect(asked).toEqual([`DELETE ${collection}/pvc-a`]);
});

test("a volume whose deletion was interrupted is deleted", async () => {
  const { reports } = await reconcile([], [released("pvc-a")], [new ApiError(404, "gone")]);
  expect(reports[0]).toMatch(/^deleted /);
});
