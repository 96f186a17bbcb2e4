/** What of Kubernetes the operator needs really works on the test cluster. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { Prometheus } from "../cluster/addons/prometheus.ts";
import { prometheusConfiguration } from "../cluster/addons/prometheus-configuration.ts";
import { kubernetesVersion } from "../cluster/binaries/binary-table.ts";
import { httpGet } from "./live-cluster.ts";
import { claim, pod, podWithVolume, webServers } from "./objects.ts";
import { withCluster } from "./with-cluster.ts";
import { describeWithNodes, unlessSkipped } from "./with-nodes.ts";

const timeoutMs = 240_000;
const hasPrometheus = spawnSync("prometheus", ["--version"]).status === 0;
// On CI, which installs it, its absence is a failure.
const testWithPrometheus = hasPrometheus || process.env["CI"] === "true" ? test : test.skip;

describeWithNodes(`a cluster of three nodes${unlessSkipped}`, () => {
  const live = withCluster("features", 3);

  test(
    "every node is Ready, in a zone of its own, and says which version it is",
    async () => {
      const { kubectl } = live();
      const zones = "range .items[*]}{.metadata.labels.topology\\.kubernetes\\.io/zone} {end";
      expect(await kubectl.value(zones, "nodes")).toBe("zone-node1 zone-node2 zone-node3 ");
      const versions = await kubectl.value(".items[*].status.nodeInfo.kubeletVersion", "nodes");
      expect(new Set(versions.split(" "))).toEqual(new Set([kubernetesVersion]));
      const { nodes, missing, memoryBytes } = await live().cluster.status();
      expect(nodes.map(({ power, cable, ready }) => ({ power, cable, ready }))).toEqual(
        Array(3).fill({ power: "on", cable: "plugged", ready: true }),
      );
      expect(missing).toEqual([]);
      expect(memoryBytes).toBeGreaterThan(100e6);
    },
    timeoutMs,
  );

  test(
    "a Service is reached by its address, by its name, and on every node's port; logs, exec and proxy work",
    async () => {
      const { kubectl, layout } = live();
      await kubectl.apply(webServers("web", 3));
      await live().rolledOut("deployment/web");
      const nodesOfPods = await kubectl.value(".items[*].spec.nodeName", "pods", "-l", "app=web");
      expect(nodesOfPods.split(" ").sort()).toEqual(["node1", "node2", "node3"]);

      const first = await live().podOn("node1", "web");
      const address = await kubectl.value(".spec.clusterIP", "service", "web");
      const port = await kubectl.value(".spec.ports[0].nodePort", "service", "web");
      for (const url of [
        `http://${address}/`,
        "http://web/",
        "http://web.default.svc.cluster.local/",
      ]) {
        await live().until(`${url} from a pod`, async () => {
          return (
            (await live().inPod(first, "timeout", "3", "wget", "-qO-", url))?.startsWith("hello") ??
            false
          );
        });
      }
      for (const node of layout.nodes) {
        const url = `http://${node.address}:${port}/`;
        await live().until(url, async () => (await httpGet(url))?.startsWith("hello") ?? false);
      }
      // Every pod is reached from every other node.
      const addresses = await kubectl.value(".items[*].status.podIP", "pods", "-l", "app=web");
      for (const podAddress of addresses.split(" ")) {
        const url = `http://${podAddress}:8080/`;
        expect(await live().inPod(first, "timeout", "3", "wget", "-qO-", url)).toMatch(
          /^hello from/,
        );
        expect(await httpGet(url)).toMatch(/^hello from/);
      }
      expect(await kubectl.run(["logs", first])).toBe("hello\n");
      const proxied = ["get", "--raw", "/api/v1/namespaces/default/services/web:80/proxy/"];
      expect(await kubectl.run(proxied)).toMatch(/^hello from/);
    },
    timeoutMs,
  );

  test(
    "a liveness probe that fails restarts the container",
    async () => {
      const { kubectl } = live();
      const name = await live().podOn("node2", "web");
      await live().inPod(name, "rm", "/tmp/www/index.html");
      await live().until("a restart", async () => {
        const restarts = ".status.containerStatuses[0].restartCount";
        return Number(await kubectl.value(restarts, "pod", name)) >= 1;
      });
      await live().podReady(name);
    },
    timeoutMs,
  );

  test(
    "a container above its memory limit is killed, and Kubernetes says why",
    async () => {
      const { kubectl } = live();
      const resources = { limits: { memory: "32Mi", cpu: "500m" } };
      await kubectl.apply([pod("greedy", "tail /dev/zero", { container: { resources } })]);
      await live().until("OOMKilled", async () => {
        const reason = ".status.containerStatuses[0].state.terminated.reason";
        return (await kubectl.value(reason, "pod", "greedy")) === "OOMKilled";
      });
    },
    timeoutMs,
  );

  test(
    "a pod without rights runs where Pod Security is restricted, and one with them is refused",
    async () => {
      const { kubectl } = live();
      const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
      const namespace = {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "strict", labels },
      };
      await kubectl.apply([namespace]);
      const privileged = pod("privileged", "true", {
        namespace: "strict",
        container: { securityContext: { privileged: true } },
      });
      await expect(kubectl.apply([privileged])).rejects.toThrow(/violates PodSecurity "restricted/);
      const script =
        "id -u; touch /x 2>/dev/null || echo read-only; grep Seccomp: /proc/self/status";
      const restricted = pod("restricted", script, {
        namespace: "strict",
        spec: {
          securityContext: {
            ...{ runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
          },
        },
        container: {
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ["ALL"] },
          },
        },
      });
      await live().until("the namespace's service account", async () => {
        return (await kubectl.attempt(["get", "sa", "default", "-n", "strict"])).code === 0;
      });
      await kubectl.apply([restricted]);
      expect(await live().output("restricted", "strict")).toBe("1000\nread-only\nSeccomp:\t2\n");
    },
    timeoutMs,
  );

  test(
    "a volume of class standard keeps its data on its node, one of class shared is seen by all nodes",
    async () => {
      const { kubectl } = live();
      // Through the scheduler: it is the scheduler's choice that the claim waits for.
      const on = (node: string) => ({ nodeSelector: { "kubernetes.io/hostname": node } });
      await kubectl.apply([
        claim("own", "standard", "ReadWriteOnce"),
        claim("common", "shared", "ReadWriteMany"),
        podWithVolume("own-1", "own", "echo kept >/data/file"),
        podWithVolume("common-1", "common", "echo seen >/data/file", on("node1")),
      ]);
      await live().output("own-1");
      await live().output("common-1");
      await kubectl.apply([
        podWithVolume("own-2", "own", "cat /data/file"),
        podWithVolume("common-2", "common", "cat /data/file", on("node3")),
      ]);
      expect(await live().output("own-2")).toBe("kept\n");
      expect(await live().output("common-2")).toBe("seen\n");
      const nodeOf = (name: string) => kubectl.value(".spec.nodeName", "pod", name);
      expect(await nodeOf("own-2")).toBe(await nodeOf("own-1"));
      await kubectl.run(["delete", "pod", "own-1", "own-2", "common-1", "common-2", "--now"]);
      await kubectl.run(["delete", "pvc", "own", "common", "--wait=false"]);
      await live().until("the volumes to go", async () => {
        return (await kubectl.value(".items[*].metadata.name", "pv")) === "";
      });
    },
    timeoutMs,
  );

  test(
    "a NetworkPolicy keeps others out, lets in whom it names, and is gone when it is deleted",
    async () => {
      const { kubectl } = live();
      const caller = (name: string, labels: Record<string, string>) => {
        return pod(name, "sleep 3600", { labels, spec: { nodeName: "node3" } });
      };
      await kubectl.apply([caller("friend", { role: "friend" }), caller("stranger", {})]);
      await live().podReady("friend");
      await live().podReady("stranger");
      const target = await live().podOn("node1", "web");
      const url = `http://${await kubectl.value(".status.podIP", "pod", target)}:8080/`;
      const reaches = async (from: string) => {
        return (await live().inPod(from, "timeout", "2", "wget", "-qO-", url)) !== null;
      };
      const reach = async () => [await reaches("friend"), await reaches("stranger")];
      const shows = (friend: boolean, stranger: boolean) => async () => {
        return JSON.stringify(await reach()) === JSON.stringify([friend, stranger]);
      };
      await live().until("both to reach it", shows(true, true));
      const policy = (ingress: object[]) => ({
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "web" },
        spec: { podSelector: { matchLabels: { app: "web" } }, policyTypes: ["Ingress"], ingress },
      });
      await kubectl.apply([policy([])]);
      await live().until("nobody to reach it", shows(false, false));
      const friends = { podSelector: { matchLabels: { role: "friend" } } };
      await kubectl.apply([policy([{ from: [friends], ports: [{ port: "http" }] }])]);
      await live().until("the friend alone to reach it", shows(true, false));
      await kubectl.run(["delete", "networkpolicy", "web"]);
      await live().until("both to reach it again", shows(true, true));
    },
    timeoutMs,
  );

  test(
    "an eviction that a PodDisruptionBudget forbids is refused, and a drain goes no further than it allows",
    async () => {
      const { kubectl } = live();
      const budget = {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name: "web" },
        spec: { minAvailable: 3, selector: { matchLabels: { app: "web" } } },
      };
      await kubectl.apply([budget]);
      await live().until("the budget to count", async () => {
        return (await kubectl.value(".status.currentHealthy", "pdb", "web")) === "3";
      });
      const drain = ["drain", "node2", "--ignore-daemonsets", "--force", "--delete-emptydir-data"];
      const refused = await kubectl.attempt([...drain, "--timeout=5s", "--pod-selector=app=web"]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/would violate the pod's disruption budget/);
      await kubectl.run(["delete", "pdb", "web"]);
      await kubectl.run([...drain, "--timeout=60s"]);
      expect(
        await kubectl.value(
          ".items[*].metadata.name",
          "pods",
          "-l",
          "app=web",
          "--field-selector=spec.nodeName=node2",
        ),
      ).toBe("");
      await kubectl.run(["uncordon", "node2"]);
      await live().rolledOut("deployment/web");
    },
    timeoutMs,
  );

  testWithPrometheus(
    `Prometheus scrapes the API server, the kubelets, their containers, and a pod${hasPrometheus ? "" : " (skipped: there is no prometheus; apt-get install prometheus)"}`,
    async () => {
      const { kubectl, layout } = live();
      const script =
        "mkdir -p /tmp/www && echo 'answer 42' >/tmp/www/metrics && exec httpd -f -p 9100 -h /tmp/www";
      await kubectl.apply([pod("measured", script)]);
      await live().podReady("measured");
      const address = await kubectl.value(".status.podIP", "pod", "measured");
      const file = (name: string) => path.join(layout.pki, name);
      const kubelets = layout.nodes.map((node) => [node.name, `${node.address}:10250`] as const);
      const prometheus = await Prometheus.start({
        listen: `${new URL(layout.etcdUrl).hostname}:19090`,
        configuration: prometheusConfiguration({
          apiServer: `${layout.apiAddress}:${layout.apiPort}`,
          kubelets: Object.fromEntries(kubelets),
          pki: { ca: file("ca.crt"), certificate: file("admin.crt"), key: file("admin.key") },
          others: [{ name: "pod", targets: [`${address}:9100`] }],
        }),
      });
      try {
        const measure = async (expression: string) =>
          (await prometheus.query(expression))[0]?.value;
        expect(await measure("answer")).toBe(42);
        expect(await measure('count(kubelet_node_name{job="kubelet"})')).toBe(3);
        expect(await measure('sum(apiserver_request_total{job="apiserver"})')).toBeGreaterThan(0);
        await live().until("the measured pod's memory", async () => {
          const memory = 'container_memory_working_set_bytes{pod="measured",container="main"}';
          return ((await measure(memory)) ?? 0) > 0;
        });
      } finally {
        await prometheus.stop();
      }
    },
    timeoutMs,
  );
});
