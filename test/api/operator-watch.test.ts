/** Watches of a real API server that is restarted, cut off, or has forgotten what was asked for. */
import { afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { KubernetesApi } from "../../src/operator/kube/kubernetes-api.ts";
import { type Entry, ObjectCache } from "../../src/operator/kube/object-cache.ts";
import { type KeptObject, objectEntry } from "../../src/operator/kube/observed.ts";
import { ResourceWatch } from "../../src/operator/kube/resource-watch.ts";
import { collectionPath } from "../../src/operator/kube/resources.ts";
import { OperatorMetrics } from "../../src/operator/metrics/operator-metrics.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { DelayProxy } from "../cluster/delay-proxy.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { kubeconfigTo, makeNamespace } from "./operator-machines.ts";

jest.setTimeout(180_000);
const namespace = "watched";
const services = `/api/v1/namespaces/${namespace}/serviceaccounts`;
const label = { "example.com/watched": "yes" };
/** Whoever waits so long for a byte waits for ever, as far as a test goes. */
const foreverMs = 3_600_000;

describeWithApi(`a watch${unlessSkipped}`, () => {
  const api = withApi("watch");
  let proxy: DelayProxy;
  let remove: () => Promise<void>;
  let stop: AbortController;
  let ended: Promise<void>;
  let cache: ObjectCache<KeptObject>;
  let watch: ResourceWatch<never, KeptObject>;
  let metrics: OperatorMetrics;

  beforeAll(() => makeNamespace(api(), namespace));
  beforeEach(async () => {
    const layout = await api().cluster.layout();
    const { hostname: host, port } = new URL(layout.apiUrl);
    proxy = await DelayProxy.start({ target: { host, port: Number(port) } });
    const kubeconfig = await kubeconfigTo(layout, `https://127.0.0.1:${proxy.port}`);
    remove = kubeconfig.remove;
    stop = new AbortController();
    metrics = new OperatorMetrics();
    cache = new ObjectCache(() => {});
    watch = new ResourceWatch<never, KeptObject>({
      ...{ api: KubernetesApi.open(kubeconfig.file), cache, random: Math.random, namespace },
      ...{ log: createLogger("test"), metrics: metrics.watches, metadataOnly: true },
      ...{ name: "serviceaccounts", resource: "serviceaccounts", watchSeconds: 2 },
      path: collectionPath("ServiceAccount", namespace),
      labelSelector: "example.com/watched=yes",
      entryOf: objectEntry as (raw: never) => Entry<KeptObject> | null,
    });
    ended = watch.run(stop.signal);
  });
  afterEach(async () => {
    for (const name of names()) await drop(name);
    stop.abort();
    await ended;
    await proxy.close();
    await remove();
  });

  const make = async (name: string) => {
    const { status } = await api().admin.create(services, { metadata: { name, labels: label } });
    expect(status).toBe(201);
  };
  const drop = async (name: string) => void (await api().admin.delete(`${services}/${name}`));
  const names = () => [...cache.all()].map(({ key }) => key.slice(namespace.length + 1)).sort();
  const sees = (...expected: string[]) =>
    until(`${expected} to be seen`, () => (`${names()}` === `${expected}` ? true : null));
  const relists = async () => {
    const text = await metrics.registry.getSingleMetricAsString(
      "lockstep_operator_watch_relists_total",
    );
    return Number(/ (\d+)\s*$/.exec(text)?.[1]);
  };

  test("hears of what comes, goes, and gets or loses the label", async () => {
    await make("a");
    await sees("a");
    await make("b");
    await sees("a", "b");
    await api().admin.merge(`${services}/a`, {
      metadata: { labels: { "example.com/watched": null } },
    });
    await sees("b");
    await api().admin.merge(`${services}/a`, { metadata: { labels: label } });
    await sees("a", "b");
    await drop("a");
    await drop("b");
    await sees();
    expect(await relists()).toBe(1);
  });

  test("goes on when the server has ended it, and lists nothing anew for that", async () => {
    await sees();
    const heardMs = watch.lastHeardMs;
    await until("three watches", () => (watch.lastHeardMs > heardMs + 7_000 ? true : null));
    await make("later");
    await sees("later");
    await drop("later");
    await sees();
    expect(await relists()).toBe(1);
    expect(watch.restarts).toBe(0);
  });

  test("outlives a restart of the API server, with what changed meanwhile", async () => {
    await make("before");
    await sees("before");
    await api().cluster.apiStop();
    await until("it to notice", () => (watch.restarts > 1 ? true : null));
    expect(names()).toEqual(["before"]);
    await api().cluster.apiStart();
    await make("after");
    await sees("after", "before");
    await drop("after");
    await drop("before");
    await sees();
  });

  test("notices that its connection is dead although nobody has closed it", async () => {
    await make("one");
    await sees("one");
    proxy.delayMs = foreverMs;
    await drop("one");
    await make("two");
    // What is under way stands still for ever; whoever connects anew gets through.
    proxy.delayMs = 0;
    await sees("two");
    expect(watch.restarts).toBeGreaterThan(0);
    await drop("two");
    await sees();
  });

  test("lists anew when the server has forgotten the version at which it was", async () => {
    await make("old");
    await sees("old");
    proxy.delayMs = foreverMs;
    await drop("old");
    await make("new");
    await make("newer");
    // A server that has just begun knows nothing of what was before.
    await api().cluster.apiStop();
    await api().cluster.apiStart();
    const before = await relists();
    proxy.delayMs = 0;
    await sees("new", "newer");
    expect(await relists()).toBeGreaterThan(before);
    await drop("new");
    await drop("newer");
    await sees();
  });
});
