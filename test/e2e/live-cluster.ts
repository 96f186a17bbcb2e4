/** A cluster, and the questions that tests and benchmarks ask it. */
import { until } from "../../bench/waiting.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import type { Layout } from "../cluster/layout.ts";

/** Generous: a busy computer is slow, not wrong. */
const patienceMs = 120_000;

export class LiveCluster {
  readonly cluster: Cluster;
  readonly kubectl: Kubectl;
  readonly layout: Layout;

  constructor(cluster: Cluster, kubectl: Kubectl, layout: Layout) {
    this.cluster = cluster;
    this.kubectl = kubectl;
    this.layout = layout;
  }

  /** Its log, once the pod has ended well. */
  async output(pod: string, namespace = "default"): Promise<string> {
    await this.until(`pod ${pod} to end`, async () => {
      const phase = await this.kubectl.value(".status.phase", "pod", pod, "-n", namespace);
      if (phase === "Failed") {
        throw new Error(`${pod} failed: ${await this.kubectl.run(["logs", pod, "-n", namespace])}`);
      }
      return phase === "Succeeded";
    });
    return await this.kubectl.run(["logs", pod, "-n", namespace]);
  }

  async podReady(pod: string, namespace = "default"): Promise<void> {
    const args = ["wait", `pod/${pod}`, "-n", namespace, "--for=condition=Ready"];
    await this.kubectl.run([...args, `--timeout=${patienceMs / 1000}s`], {
      timeoutMs: patienceMs + 10_000,
    });
  }

  async rolledOut(what: string): Promise<void> {
    await this.kubectl.run(["rollout", "status", what, `--timeout=${patienceMs / 1000}s`], {
      timeoutMs: patienceMs + 10_000,
    });
  }

  /** What a command printed that ran in the pod; null: it failed there. */
  async inPod(pod: string, ...command: string[]): Promise<string | null> {
    const { code, stdout } = await this.kubectl.attempt(["exec", pod, "--", ...command]);
    return code === 0 ? stdout : null;
  }

  async isReady(node: string): Promise<boolean> {
    const ready = '.status.conditions[?(@.type=="Ready")].status';
    return (await this.kubectl.value(ready, "node", node)) === "True";
  }

  async becomesReady(node: string): Promise<void> {
    await this.until(`${node} Ready`, () => this.isReady(node));
  }

  async becomesNotReady(node: string): Promise<void> {
    await this.until(`${node} not Ready`, async () => !(await this.isReady(node)));
  }

  /** The first pod of a Deployment that runs on the node. */
  async podOn(node: string, app: string): Promise<string> {
    const where = ["-l", `app=${app}`, "--field-selector", `spec.nodeName=${node}`];
    return await this.kubectl.value(".items[0].metadata.name", "pods", ...where);
  }

  async until(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
    const answer = async () => ((await ask()) ? true : null);
    await until(what, answer, { everyMs: 200, timeoutMs: patienceMs });
  }
}

/** What an HTTP server says; null: nothing, or not 200. */
export async function httpGet(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}
