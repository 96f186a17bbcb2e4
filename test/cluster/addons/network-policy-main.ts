/**
 * The process beside the control plane that enforces NetworkPolicies in the nodes: with the id of the
 * cluster, the API server's URL, and files of an authority, a certificate and its key. It runs until it
 * is killed, and keeps nothing: one that is started again goes on where the last one was ended.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { findProcesses } from "../processes.ts";
import { ApiClient } from "./api-client.ts";
import { NetworkPolicyEngine, type NodeNamespace } from "./network-policy-engine.ts";
import { ChangeSignal, runController } from "./reconcile-loop.ts";

const [id = "", url = "", ca = "", certificate = "", key = ""] = process.argv.slice(2);
const read = (file: string) => readFileSync(file, "utf8");
const access = { url, ca: read(ca), certificate: read(certificate), key: read(key) };
const changes = new ChangeSignal();
const engine = new NetworkPolicyEngine(new ApiClient(access), findNamespaces, changes.raise);
const end = new AbortController();
process.once("SIGTERM", () => end.abort());
await runController(engine, changes, {
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
