/** The states in which a cluster may be when somebody ends it, and the ways of ending it. */
import process from "node:process";
import { pause } from "../../bench/waiting.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { runCommand, startCommand } from "../cluster/cluster-command.ts";
import { type ClusterProcess, findProcesses } from "../cluster/processes.ts";
import { Records } from "../cluster/record.ts";
import { pick, type Random } from "../simulation/world/random.ts";

export interface Ending {
  readonly name: string;
  /** Ends the cluster, after what the name says has been done to it. */
  readonly end: (cluster: Cluster, random: Random) => Promise<void>;
}

type Broken = (cluster: Cluster, nodes: readonly string[], random: Random) => Promise<void>;

const eachNode = (verb: (cluster: Cluster, node: string) => Promise<void>): Broken => {
  return async (cluster, nodes) => {
    for (const node of nodes) await verb(cluster, node);
  };
};

/** The first three hold what the later ones hold one by one. */
export const endings: readonly Ending[] = [
  whenBroken("with a node frozen, one off, one cut off, and no API", async (cluster, nodes) => {
    const [first = "", second = "", third = ""] = nodes;
    await powered(cluster, first, (node) => cluster.freeze(node));
    await cluster.powerOff(second);
    await cluster.partition(third);
    await cluster.apiStop();
  }),
  whenBroken("with its processes killed", async (cluster, nodes, random) => {
    await kill(cluster, (one) => one.role === "etcd");
    await kill(cluster, (one) => one.role === "kube-apiserver");
    const [first, second] = [pick(random, nodes), pick(random, nodes)];
    await kill(cluster, (one) => one.role === first && one.program === "containerd");
    await kill(cluster, (one) => one.role === second && one.isFirstOfNode);
  }),
  { name: "by a down that is killed and another one", end: killedDown },
  { name: "by a plain down", end: (cluster) => cluster.down() },
  { name: "by the command down", end: ({ name }) => runCommand("down", "--name", name) },
  whenBroken(
    "with every node frozen",
    eachNode((cluster, node) => powered(cluster, node, () => cluster.freeze(node))),
  ),
  whenBroken(
    "with every node off",
    eachNode((cluster, node) => cluster.powerOff(node)),
  ),
  whenBroken(
    "with every node cut off",
    eachNode((cluster, node) => cluster.partition(node)),
  ),
  whenBroken("without the API server", (cluster) => cluster.apiStop()),
  whenBroken("with every kubelet killed", (cluster) =>
    kill(cluster, ({ program }) => program === "kubelet"),
  ),
  whenBroken("with the first process of every node killed", (cluster) =>
    kill(cluster, ({ isFirstOfNode }) => isFirstOfNode),
  ),
  whenBroken("with frozen nodes whose first processes were killed", async (cluster, nodes) => {
    for (const node of nodes) await powered(cluster, node, () => cluster.freeze(node));
    await kill(cluster, ({ isFirstOfNode }) => isFirstOfNode);
  }),
];

function whenBroken(name: string, breakIt: Broken): Ending {
  return {
    name,
    end: async (cluster, random) => {
      const { nodes } = await cluster.layout();
      await breakIt(
        cluster,
        nodes.map((node) => node.name),
        random,
      );
      await cluster.down();
    },
  };
}

async function killedDown({ name }: Cluster, random: Random): Promise<void> {
  const first = startCommand(["down", "--name", name]);
  await pause(2500 * random());
  first.kill("SIGKILL");
  await first.end();
  const records = await new Records().all();
  if (records.some(({ spec }) => spec.name === name)) await runCommand("down", "--name", name);
}

/** On a node that runs, whatever was done to it before. */
async function powered(
  cluster: Cluster,
  name: string,
  act: (node: string) => Promise<void>,
): Promise<void> {
  await cluster.thaw(name);
  await cluster.powerOn(name);
  await act(name);
}

async function kill(cluster: Cluster, choose: (one: ClusterProcess) => boolean): Promise<void> {
  const { id } = await new Records().get(cluster.name);
  for (const { pid } of findProcesses(id).filter(choose)) process.kill(pid, "SIGKILL");
}
