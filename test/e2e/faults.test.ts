/** Every way of breaking a node or the API server does what it says, and can be mended. */
import { expect, test } from "@jest/globals";
import { prepareImages } from "../cluster/images/prepare-images.ts";
import { httpGet, type LiveCluster } from "./live-cluster.ts";
import { pod, webServers } from "./objects.ts";
import { withCluster } from "./with-cluster.ts";
import { describeWithNodes, unlessSkipped } from "./with-nodes.ts";

const timeoutMs = 300_000;
/** Making an image takes apt-get and npm a minute or two. */
const imageTimeoutMs = 900_000;

describeWithNodes(`faults of a cluster of three nodes${unlessSkipped}`, () => {
  const live = withCluster("faults", 3);

  test(
    "pods run on every node before anything is broken",
    async () => {
      await live().kubectl.apply(webServers("web", 3));
      await live().rolledOut("deployment/web");
    },
    timeoutMs,
  );

  test(
    "kubelet-stop: the node is not Ready, its containers run on; kubelet-start brings it back",
    async () => {
      const url = await urlOn(live(), "node3");
      await live().cluster.kubeletStop("node3");
      await live().becomesNotReady("node3");
      expect(await httpGet(url)).toBe("hello from node3\n");
      await live().cluster.kubeletStart("node3");
      await live().becomesReady("node3");
    },
    timeoutMs,
  );

  test(
    "partition: the node cannot be reached, what runs there runs on; heal brings it back",
    async () => {
      const { cluster } = live();
      const url = await urlOn(live(), "node3");
      const processes = "ps -e -o args= | grep -c '[h]ttpd -f -p 8080'";
      await cluster.partition("node3");
      expect(await httpGet(url)).toBeNull();
      await live().becomesNotReady("node3");
      expect((await cluster.exec("node3", ["sh", "-c", processes])).trim()).toBe("1");
      expect(await statusOf(live(), "node3")).toMatchObject({ power: "on", cable: "cut" });
      await cluster.heal("node3");
      await live().becomesReady("node3");
      expect(await statusOf(live(), "node3")).toMatchObject({ power: "on", cable: "plugged" });
    },
    timeoutMs,
  );

  test(
    "partition --from: two nodes cannot reach each other, and each is reached by all others",
    async () => {
      const { cluster } = live();
      await live().rolledOut("deployment/web");
      const [first, second] = await Promise.all(["node1", "node2"].map((n) => urlOn(live(), n)));
      const fromNode1 = await live().podOn("node1", "web");
      const fromNode3 = await live().podOn("node3", "web");
      const get = (from: string, url = "") =>
        live().inPod(from, "timeout", "2", "wget", "-qO-", url);
      expect(await get(fromNode1, second)).toBe("hello from node2\n");
      await cluster.partition("node2", ["node1"]);
      expect(await get(fromNode1, second)).toBeNull();
      expect(await get(fromNode3, second)).toBe("hello from node2\n");
      expect(await get(fromNode3, first)).toBe("hello from node1\n");
      expect(await httpGet(second ?? "")).toBe("hello from node2\n");
      await cluster.heal("node2");
      expect(await get(fromNode1, second)).toBe("hello from node2\n");
    },
    timeoutMs,
  );

  test(
    "partition --from api: the node is not Ready, and the other nodes reach what runs there",
    async () => {
      const { cluster } = live();
      const url = await urlOn(live(), "node2");
      const from = await live().podOn("node1", "web");
      await cluster.partition("node2", ["api"]);
      await live().becomesNotReady("node2");
      expect(await live().inPod(from, "timeout", "2", "wget", "-qO-", url)).toBe(
        "hello from node2\n",
      );
      await cluster.heal("node2");
      await live().becomesReady("node2");
    },
    timeoutMs,
  );

  test(
    "lose: about as many packets are lost as asked for",
    async () => {
      const { cluster, kubectl, layout } = live();
      await kubectl.apply([pod("pinger", "sleep 3600", { spec: { nodeName: "node1" } })]);
      await live().podReady("pinger");
      const target = layout.nodes[2]?.address ?? "";
      const lostOf = async () => {
        const command = ["sh", "-c", `ping -q -c 200 -i 0.02 -W 1 ${target} || true`];
        return Number(
          /(\d+)% packet loss/.exec((await live().inPod("pinger", ...command)) ?? "")?.[1],
        );
      };
      expect(await lostOf()).toBe(0);
      // An echo goes and comes over the cable: 0.8 x 0.8 of them arrive, 36 % are lost, more or less.
      await cluster.lose("node1", 20);
      const lost = await lostOf();
      await cluster.heal("node1");
      expect(lost).toBeGreaterThan(18);
      expect(lost).toBeLessThan(56);
      expect(await lostOf()).toBe(0);
    },
    timeoutMs,
  );

  test(
    "freeze: nothing on the node runs, and nothing of it is gone; thaw lets it run on",
    async () => {
      const { cluster, kubectl } = live();
      const url = await urlOn(live(), "node3");
      const name = await live().podOn("node3", "web");
      const started = () =>
        kubectl.value(".status.containerStatuses[0].state.running.startedAt", "pod", name);
      const before = await started();
      await cluster.freeze("node3");
      expect(await statusOf(live(), "node3")).toMatchObject({ power: "frozen" });
      expect(await httpGet(url)).toBeNull();
      await cluster.thaw("node3");
      expect(await statusOf(live(), "node3")).toMatchObject({ power: "on" });
      await live().until("an answer of the thawed node", async () => {
        return (await httpGet(url)) === "hello from node3\n";
      });
      expect(await started()).toBe(before);
    },
    timeoutMs,
  );

  test(
    "api-stop: the pods answer without an API server; api-start brings it back as it was",
    async () => {
      const { cluster, kubectl } = live();
      await live().becomesReady("node3");
      const urls = await Promise.all(["node1", "node2"].map((node) => urlOn(live(), node)));
      await cluster.apiStop();
      expect((await cluster.status()).api).toBe("stopped");
      expect((await kubectl.attempt(["get", "nodes", "--request-timeout=2s"])).code).not.toBe(0);
      for (const url of urls) expect(await httpGet(url)).toMatch(/^hello from/);
      await cluster.apiStart();
      expect((await cluster.status()).api).toBe("ready");
      expect(await kubectl.value(".spec.replicas", "deployment", "web")).toBe("3");
    },
    timeoutMs,
  );

  test(
    "power-off: all on the node is gone, Kubernetes moves what can move; power-on boots it anew",
    async () => {
      const { cluster, kubectl } = live();
      await live().becomesReady("node2");
      // Node 3 is left for the one that is going to be lost.
      await kubectl.run(["cordon", "node3"]);
      await kubectl.apply(webServers("moving", 2));
      await live().rolledOut("deployment/moving");
      await kubectl.run(["uncordon", "node3"]);
      const bootId = () => kubectl.value(".status.nodeInfo.bootID", "node", "node2");
      const before = await bootId();
      const lost = await live().podOn("node2", "moving");
      await cluster.powerOff("node2");
      expect(await statusOf(live(), "node2")).toMatchObject({ power: "off" });
      await live().becomesNotReady("node2");
      await live().until("the lost pod to be replaced", async () => {
        const running = ["-l", "app=moving", "--field-selector=spec.nodeName!=node2"];
        const ready = '.items[*].status.conditions[?(@.type=="Ready")].status';
        return (await kubectl.value(ready, "pods", ...running)) === "True True";
      });
      // Only who vouches that the node is off lets Kubernetes forget its pods.
      const taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
      await kubectl.run(["taint", "node", "node2", taint]);
      await live().until("the lost pod to be forgotten", async () => {
        return /NotFound/.test((await kubectl.attempt(["get", "pod", lost])).stderr);
      });
      await kubectl.run(["taint", "node", "node2", `${taint}-`]);
      await cluster.powerOn("node2");
      await live().becomesReady("node2");
      expect(await bootId()).not.toBe(before);
    },
    timeoutMs,
  );

  test(
    "load: an image of Lockstep runs on every node, also on one that was off meanwhile",
    async () => {
      const { cluster, kubectl } = live();
      const prepared = await prepareImages(["lockstep"], {
        binaries: () => "",
        say: (text) => void process.stderr.write(`${text}\n`),
      });
      if (prepared.kind === "missing") throw new Error(prepared.why);
      const image = prepared.images.get("lockstep");
      if (image === undefined) throw new Error("there is no image of Lockstep");
      await cluster.powerOff("node3");
      await cluster.load(image.file);
      await cluster.powerOn("node3");
      await live().becomesReady("node3");
      const container = { image: image.reference, command: null, args: ["--help"] };
      const pods = ["node1", "node3"].map((nodeName) => {
        return pod(`lockstep-${nodeName}`, "", { spec: { nodeName }, container });
      });
      await kubectl.apply(pods);
      for (const name of ["lockstep-node1", "lockstep-node3"]) {
        expect(await live().output(name)).toMatch(/^Usage: lockstep/m);
      }
    },
    imageTimeoutMs,
  );
});

async function statusOf(live: LiveCluster, node: string) {
  return (await live.cluster.status()).nodes.find(({ name }) => name === node);
}

/** Of the web server on the node, which answers. */
async function urlOn(live: LiveCluster, node: string): Promise<string> {
  await live.rolledOut("deployment/web");
  let url = "";
  await live.until(`an answer of ${node}`, async () => {
    const name = await live.podOn(node, "web");
    url = `http://${await live.kubectl.value(".status.podIP", "pod", name)}:8080/`;
    return (await httpGet(url)) === `hello from ${node}\n`;
  });
  return url;
}
