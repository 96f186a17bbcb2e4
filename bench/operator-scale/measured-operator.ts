/**
 * The operator as it is installed: the built program with its own account and no other rights, and what
 * is known of it from outside: its metrics, its memory, and the API server's count of what it writes.
 */
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../../test/cluster/cluster.ts";
import type { Kubectl } from "../../test/cluster/kubectl.ts";
import { temporary } from "../pinned-pair.ts";
import { type Child, ended, firstLine, lastWords, startProgram } from "../processes.ts";
import { until } from "../waiting.ts";
import { type Sample, samplesOf, sumOf } from "./prometheus-text.ts";

const manifests = fileURLToPath(new URL("../../manifests/lockstep.yaml", import.meta.url));
const program =
  process.env["LOCKSTEP_BENCH_PROGRAM"] ??
  fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const namespace = "lockstep-system";
const account = "lockstep-operator";
const tokenHours = 12;
/** Names of flow schemas: the API server counts requests by them. */
const schemas = { leadership: "bench-operator-leadership", writes: "bench-operator-writes" };

export class MeasuredOperator {
  readonly #child: Child;
  readonly #port: number;
  readonly #kubectl: Kubectl;

  private constructor(child: Child, port: number, kubectl: Kubectl) {
    this.#child = child;
    this.#port = port;
    this.#kubectl = kubectl;
  }

  /** Resolves when it leads. */
  static async start(cluster: Cluster, cores: readonly number[]): Promise<MeasuredOperator> {
    const kubectl = await cluster.kubectl();
    await kubectl.run(["apply", "-f", manifests]);
    await kubectl.run([
      "wait",
      "--for=condition=Established",
      "crd/ftvirtualmachines.lockstep.dev",
    ]);
    await kubectl.apply([
      flowSchema(schemas.leadership, 400, {
        ...{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], namespaces: [namespace] },
      }),
      flowSchema(schemas.writes, 500, {
        ...{ apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true },
      }),
    ]);
    const given = await kubectl.value(
      ".spec.template.spec.containers[0].args",
      ...["deployment/lockstep-operator", "-n", namespace],
    );
    // SAFETY: the arguments of a container are strings.
    const args = (JSON.parse(given) as string[]).map((argument) =>
      argument.replace("$(POD_NAMESPACE)", namespace),
    );
    const kubeconfig = await writeKubeconfig(cluster, kubectl);
    const own = ["--kubeconfig", kubeconfig, "--http", "127.0.0.1:0"];
    const command = ["--no-warnings", ...extraOptions(), program, ...args, ...own];
    const child = startProgram(cores, process.execPath, command);
    const { http }: { http: number } = JSON.parse(await firstLine(child));
    child.stdout.resume();
    const operator = new MeasuredOperator(child, http, kubectl);
    await until("the operator to lead", async () => {
      const samples = await operator.metrics();
      return sumOf(samples, "lockstep_operator_leader") === 1 ? true : null;
    });
    return operator;
  }

  /** @throws Error when the operator has ended */
  async metrics(): Promise<readonly Sample[]> {
    this.#requireRunning();
    const answer = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
    return samplesOf(await answer.text());
  }

  /** Resident now, in MiB. */
  get memoryMiB(): number {
    this.#requireRunning();
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Writes of objects until now, by its own count and by the API server's; not those of its leadership. */
  async writes(): Promise<{ readonly own: number; readonly counted: number }> {
    const counted = await this.#counted(schemas.writes);
    const own = sumOf(await this.metrics(), "lockstep_operator_api_writes_total");
    return { own, counted };
  }

  /** Renewals of its leadership, by the API server's count. */
  async renewals(): Promise<number> {
    return await this.#counted(schemas.leadership);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await ended(this.#child);
  }

  async #counted(schema: string): Promise<number> {
    const samples = samplesOf(await this.#kubectl.run(["get", "--raw", "/metrics"]));
    const name = "apiserver_flowcontrol_dispatched_requests_total";
    return sumOf(samples, name, { flow_schema: schema });
  }

  #requireRunning(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the operator has ended: ${lastWords(this.#child)}`);
  }
}

/** Node's, as the chart gives them; LOCKSTEP_BENCH_NODE says others, for instance to profile it. */
const chartOptions = "--max-semi-space-size=4 --max-old-space-size=256";

function extraOptions(): string[] {
  return (process.env["LOCKSTEP_BENCH_NODE"] ?? chartOptions)
    .split(" ")
    .filter((option) => option !== "");
}

/** Its writes go where they would go anyway, but are counted by themselves. */
function flowSchema(name: string, matchingPrecedence: number, rule: object): object {
  const subject = { kind: "ServiceAccount", serviceAccount: { namespace, name: account } };
  const verbs = ["create", "update", "patch", "delete", "deletecollection"];
  return {
    ...{ apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind: "FlowSchema", metadata: { name } },
    spec: {
      priorityLevelConfiguration: { name: "workload-low" },
      ...{ matchingPrecedence, distinguisherMethod: { type: "ByUser" } },
      rules: [{ subjects: [subject], resourceRules: [{ verbs, ...rule }] }],
    },
  };
}

/** With a token of the operator's account, and nothing of the administrator's. */
async function writeKubeconfig(cluster: Cluster, kubectl: Kubectl): Promise<string> {
  const { apiUrl: server, pki } = await cluster.layout();
  const create = ["create", "token", account, "-n", namespace, `--duration=${tokenHours}h`];
  const token = (await kubectl.run(create)).trim();
  const ca = (await readFile(path.join(pki, "ca.crt"))).toString("base64");
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "operator" },
    clusters: [{ name: "here", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "operator", user: { token } }],
    contexts: [{ name: "operator", context: { cluster: "here", user: "operator" } }],
  };
  const file = path.join(temporary, "operator.kubeconfig");
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}
