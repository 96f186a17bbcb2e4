/**
 * A cluster with Lockstep installed as a user installs it: the image that this checkout builds, the Helm
 * chart, two operators.
 */
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "../../bench/waiting.ts";
import { ApiClient, administrator } from "../api/api-client.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { apiReady, startProgram, stopProgram } from "../cluster/control-plane.ts";
import type { Helm } from "../cluster/helm.ts";
import { prepareImages } from "../cluster/images/prepare-images.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import type { Layout } from "../cluster/layout.ts";
import { Records } from "../cluster/record.ts";
import { LiveCluster } from "../e2e/live-cluster.ts";

const chart = fileURLToPath(new URL("../../charts/lockstep", import.meta.url));
export const operatorNamespace = "lockstep-system";
const release = "lockstep";
/** Of the operator and of runners. */
export const imageRepository = "localhost/lockstep";
const operatorLabel = "app.kubernetes.io/component=operator";

/** Generous: a busy computer is slow, not wrong. */
export const patienceMs = 120_000;

export class LockstepCluster {
  readonly live: LiveCluster;
  readonly api: ApiClient;
  readonly helm: Helm;

  private constructor(live: LiveCluster, api: ApiClient, helm: Helm) {
    this.live = live;
    this.api = api;
    this.helm = helm;
  }

  get cluster(): Cluster {
    return this.live.cluster;
  }

  get kubectl(): Kubectl {
    return this.live.kubectl;
  }

  get layout(): Layout {
    return this.live.layout;
  }

  /** On a cluster that is up. What is installed there already is upgraded. */
  static async on(cluster: Cluster): Promise<LockstepCluster> {
    const layout = await cluster.layout();
    const live = new LiveCluster(cluster, await cluster.kubectl(), layout);
    const url = `https://${layout.apiAddress}:${layout.apiPort}`;
    const api = new ApiClient(url, await administrator(layout));
    return new LockstepCluster(live, api, await cluster.helm(say));
  }

  /** The image on every node, and the operators at work. */
  async install(): Promise<void> {
    const prepared = await prepareImages(["lockstep"], { binaries: () => "", say });
    if (prepared.kind === "missing") throw new Error(prepared.why);
    const image = prepared.images.get("lockstep");
    if (image === undefined) throw new Error("there is no image of Lockstep");
    await this.cluster.load(image.file);
    await this.upgrade("1");
  }

  /** Installs or upgrades the chart, with this tag of the image; resolves when its operators serve. */
  async upgrade(tag: string, ...more: readonly string[]): Promise<void> {
    const image = [
      "--set",
      `image.repository=${imageRepository}`,
      "--set-string",
      `image.tag=${tag}`,
    ];
    const where = [release, chart, "--namespace", operatorNamespace, "--create-namespace"];
    const pull = ["--set", "image.pullPolicy=Never"];
    await this.helm.run(["upgrade", "--install", ...where, ...image, ...pull, ...more]);
    await this.operatorsServe();
  }

  async operatorsServe(): Promise<void> {
    const wait = ["rollout", "status", "deployment/lockstep-operator", "-n", operatorNamespace];
    await this.kubectl.run([...wait, `--timeout=${patienceMs / 1000}s`], {
      timeoutMs: patienceMs + 10_000,
    });
  }

  /** Starts or ends operators; resolves when there are so many. */
  async scaleOperators(count: number): Promise<void> {
    const scale = ["scale", "deployment/lockstep-operator", "-n", operatorNamespace];
    await this.kubectl.run([...scale, `--replicas=${count}`]);
    if (count > 0) return await this.operatorsServe();
    const pods = `/api/v1/namespaces/${operatorNamespace}/pods?labelSelector=${operatorLabel}`;
    await this.until("the operators to be gone", async () => {
      const { items } = (await this.api.get(pods)).body;
      return Array.isArray(items) && items.length === 0;
    });
  }

  /** By which policies know an operator's pod. */
  async operatorLabels(): Promise<Readonly<Record<string, string>>> {
    const where = ["deployment", "lockstep-operator", "-n", operatorNamespace];
    return JSON.parse(await this.kubectl.value(".spec.selector.matchLabels", ...where));
  }

  async hasOperator(node: string): Promise<boolean> {
    const where = `labelSelector=${operatorLabel}&fieldSelector=spec.nodeName=${node}`;
    const pods = `/api/v1/namespaces/${operatorNamespace}/pods?${where}`;
    const { items } = (await this.api.get(pods)).body;
    return Array.isArray(items) && items.length > 0;
  }

  /** Ends etcd as a crash would, and starts it on the same data; the API server lives on. */
  async restartEtcd(): Promise<void> {
    const records = new Records();
    const record = await records.get(this.cluster.name);
    const layout = records.layoutOf(record);
    await stopProgram(record, "etcd");
    await startProgram(record, layout, "etcd");
    await apiReady(record, layout);
  }

  /** The names of the nodes but these. */
  otherNodes(...names: readonly (string | undefined)[]): string[] {
    return this.layout.nodes.map(({ name }) => name).filter((name) => !names.includes(name));
  }

  addressOf(node: string): string {
    const found = this.layout.nodes.find(({ name }) => name === node);
    if (found === undefined) throw new Error(`there is no node ${node}`);
    return found.address;
  }

  async until(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
    const answer = async () => ((await ask()) ? true : null);
    await until(what, answer, { everyMs: 100, timeoutMs: patienceMs });
  }

  /** Ends whatever a test broke: a failed one leaves the next ones a whole cluster. */
  async mend(): Promise<void> {
    if ((await this.cluster.status()).api === "stopped") await this.cluster.apiStart();
    for (const { name, power, cable } of (await this.cluster.status()).nodes) {
      if (power === "off") await this.cluster.powerOn(name);
      if (power === "frozen") await this.cluster.thaw(name);
      if (cable !== "plugged") await this.cluster.heal(name);
      await this.kubectl.run(["uncordon", name]);
    }
    for (const { name } of this.layout.nodes) {
      if (!(await this.live.isReady(name))) await this.cluster.kubeletStart(name).catch(() => {});
      await this.live.becomesReady(name);
    }
  }
}

/** A line for whoever watches: Jest shows what tests print only later. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A file of the checkout, by its path from the top. */
export function fileOf(place: string): string {
  return path.join(fileURLToPath(new URL("../../", import.meta.url)), place);
}
