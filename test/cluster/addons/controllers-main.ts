/**
 * The process beside the control plane that enforces NetworkPolicies in the nodes and makes volumes.
 * `up` starts it with what `controllersArguments` says, and it runs until it is killed. It keeps
 * nothing: one that is started again goes on where the last one was ended.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { findProcesses } from "../processes.ts";
import { ApiClient } from "./api-client.ts";
import type { ControllersConfiguration } from "./controllers-arguments.ts";
import { NetworkPolicyEngine, type NodeNamespace } from "./network-policy-engine.ts";
import { ChangeSignal, runControllers } from "./reconcile-loop.ts";
import { VolumeProvisioner } from "./volume-provisioner.ts";

const { id, url, pki, directories }: ControllersConfiguration = JSON.parse(process.argv[2] ?? "");
const read = (file: string) => readFileSync(file, "utf8");
const client = new ApiClient({
  ...{ url, ca: read(pki.ca) },
  ...{ certificate: read(pki.certificate), key: read(pki.key) },
});
const changes = new ChangeSignal();
const policies = new NetworkPolicyEngine(client, findNamespaces, changes.raise);
const volumes = new VolumeProvisioner(client, directories, changes.raise);
const end = new AbortController();
process.once("SIGTERM", () => end.abort());
await runControllers([policies, volumes], changes, {
  signal: end.signal,
  report: (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`),
});

/** Looked up anew every time: nodes are switched off and on. */
function findNamespaces(): ReadonlyMap<string, NodeNamespace> {
  const first = findProcesses(id).filter(({ isFirstOfNode }) => isFirstOfNode);
  return new Map(
    first.map(({ role, pid }) => [role, { file: `/proc/${pid}/ns/net`, life: String(pid) }]),
  );
}
