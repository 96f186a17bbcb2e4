/** The operator's own resource on a real API server, and ways to it, for the tests of its shell. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { runnerFinalizer } from "../../src/operator/api/names.ts";
import type { KubernetesObject } from "../../src/operator/reconcile/actions.ts";
import type { Observation } from "../../src/operator/reconcile/observation.ts";
import { metadataOf } from "../../src/operator/specs/object-metadata.ts";
import type { Layout } from "../cluster/layout.ts";
import type { Api } from "./api-level.ts";

const crd = fileURLToPath(
  new URL("../../crds/lockstep.dev_ftvirtualmachines.yaml", import.meta.url),
);
const group = "/apis/lockstep.dev/v1alpha1";

export function machinesOf(namespace: string): string {
  return `${group}/namespaces/${namespace}/ftvirtualmachines`;
}

export async function installMachines({ kubectl, admin }: Api): Promise<void> {
  await kubectl.run(["apply", "-f", crd]);
  await until("the machines to be served", async () => {
    const { status } = await admin.get(machinesOf("default"));
    return status === 200 ? true : null;
  });
}

/** A namespace of its own; there are no controllers that would make its ServiceAccount. */
export async function makeNamespace({ admin }: Api, name: string, labels: object = {}) {
  const made = await admin.create("/api/v1/namespaces", { metadata: { name, labels } });
  expect([made.status, made.message]).toEqual([201, ""]);
  const accounts = `/api/v1/namespaces/${name}/serviceaccounts`;
  await admin.create(accounts, { metadata: { name: "default" } });
}

/** A machine without a network; its uid. */
export async function makeMachine({ admin }: Api, namespace: string, name: string) {
  const object = {
    ...{ apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine", metadata: { name } },
    spec: { network: { enabled: false } },
  };
  const made = await admin.create(machinesOf(namespace), object);
  expect([made.status, made.message]).toEqual([201, ""]);
  return made.body.metadata.uid;
}

/** A kubeconfig of the administrator's that leads to `server`; call `remove` at the end. */
export async function kubeconfigTo(layout: Layout, server: string) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "lockstep-kubeconfig-"));
  const file = path.join(folder, "config");
  const text = await readFile(layout.kubeconfig, "utf8");
  await writeFile(file, text.replaceAll(layout.apiUrl, server), { mode: 0o600 });
  return { file, remove: () => rm(folder, { recursive: true }) };
}

/** A runner's pod that a restricted namespace takes, of the VM's second life. */
export function podOf(o: Observation, name: string, fields: object = {}): KubernetesObject {
  const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
  const metadata = {
    ...metadataOf(o.vm, name, { "lockstep.dev/component": "runner" }),
    annotations: { "lockstep.dev/life": "2" },
    finalizers: [runnerFinalizer],
  };
  return {
    ...{ apiVersion: "v1", kind: "Pod", metadata },
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [{ name: "runner", image: "nothing", securityContext: restricted }],
      ...fields,
    },
  };
}
