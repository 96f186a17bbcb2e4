/** kubectl of the cluster's own version, with its administrator's kubeconfig. */
import path from "node:path";
import { ClusterError } from "./cluster-error.ts";
import type { Layout } from "./layout.ts";
import { markOf } from "./processes.ts";
import type { ClusterRecord } from "./record.ts";
import { attempt, type Ended, type RunOptions, run } from "./run-program.ts";

export class Kubectl {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(record: ClusterRecord, layout: Layout) {
    const program = record.programs["kubectl"];
    if (program === undefined)
      throw new ClusterError("kubectl is not among the cluster's programs");
    this.program = program;
    this.env = {
      ...withoutProxies(process.env),
      // One that waits for something does not outlive the cluster, nor a killed command for long.
      ...markOf(record.id, "kubectl"),
      KUBECONFIG: layout.kubeconfig,
      KUBECACHEDIR: path.join(layout.directory, "kubectl-cache"),
    };
  }

  /** What it printed. @throws ClusterError */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(this.program, args, { ...options, env: this.env });
  }

  attempt(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return attempt(this.program, args, { ...options, env: this.env });
  }

  /** What is at a JSONPath of what `kubectl get` finds, as text. @throws ClusterError */
  value(jsonPath: string, ...args: readonly string[]): Promise<string> {
    return this.run(["get", ...args, "-o", `jsonpath={${jsonPath}}`]);
  }

  /** Applies objects, or refuses all that have an unknown field. @throws ClusterError */
  async apply(objects: readonly object[], ...args: readonly string[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await this.run(["apply", "--validate=strict", "-f", "-", ...args], { input: list });
  }
}

/** No proxy knows the way to the API server of a cluster on this machine. */
export function withoutProxies(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const variables = Object.entries(environment);
  return Object.fromEntries(variables.filter(([name]) => !/^(https?|all|no)_proxy$/i.test(name)));
}
