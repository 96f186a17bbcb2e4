/**
 * The operator as the installed Deployment would run it: with its arguments and its account, as a process
 * of this machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import type { Cluster } from "../cluster/cluster.ts";
import { namespace, root } from "./chart.ts";

const program = path.join(root, "src", "cli", "main.ts");
const deployment = ["deployment/lockstep-operator", "-n", namespace];

export interface OperatorProcess {
  /** Everything that it logged until now. */
  readonly said: () => string;
  /** Ends it as a kubelet does; resolves with its exit code. */
  readonly end: () => Promise<number | null>;
}

export async function startOperator(cluster: Cluster): Promise<OperatorProcess> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "operator-"));
  const kubeconfig = path.join(folder, "kubeconfig");
  await writeFile(kubeconfig, JSON.stringify(await configuration(cluster)), { mode: 0o600 });
  const kubectl = await cluster.kubectl();
  const given = await kubectl.value(".spec.template.spec.containers[0].args", ...deployment);
  const args = [...JSON.parse(given), `--kubeconfig=${kubeconfig}`, "--http=127.0.0.1:0"];
  const here = args.map((argument: string) => argument.replace("$(POD_NAMESPACE)", namespace));
  const child = spawn(process.execPath, ["--no-warnings", program, ...here], { cwd: root });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const ended = once(child, "close");
  const end = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true });
    return child.exitCode;
  };
  return { said: () => said, end };
}

/** A kubeconfig with a token of the operator's account, and nothing else of the administrator's. */
async function configuration(cluster: Cluster): Promise<object> {
  const { apiUrl: server, pki } = await cluster.layout();
  const kubectl = await cluster.kubectl();
  const account = ["lockstep-operator", "-n", namespace, "--duration=10m"];
  const token = (await kubectl.run(["create", "token", ...account])).trim();
  const ca = (await readFile(path.join(pki, "ca.crt"))).toString("base64");
  return {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "operator" },
    clusters: [{ name: "here", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "operator", user: { token } }],
    contexts: [{ name: "operator", context: { cluster: "here", user: "operator" } }],
  };
}
