/**
 * Draws what is done to a cluster that runs, from a seed: the same seed and the same nodes give the same
 * story. Only what makes sense is drawn (a node that is off cannot be frozen), so every verb must succeed.
 */
import path from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import { ClusterError } from "../cluster/cluster-error.ts";
import { below, pick, type Random } from "../simulation/world/random.ts";
import { webServers } from "./objects.ts";

/** What was done so far, as far as it matters for what can be done next. */
export interface World {
  readonly nodes: Readonly<Record<string, NodeWorld>>;
  readonly api: boolean;
  readonly deployments: readonly string[];
}

interface NodeWorld {
  readonly power: "on" | "off" | "frozen";
  readonly kubelet: boolean;
}

export type Verb =
  | { readonly kind: NodeVerb; readonly node: string }
  | { readonly kind: "partition"; readonly node: string; readonly from: readonly string[] }
  | { readonly kind: "lose"; readonly node: string; readonly percent: number }
  | { readonly kind: "api-stop" | "api-start" | "load" }
  | { readonly kind: "apply" | "delete"; readonly deployment: string };

type NodeVerb =
  | "power-on"
  | "power-off"
  | "heal"
  | "freeze"
  | "thaw"
  | "kubelet-stop"
  | "kubelet-start"
  | "exec";

const deploymentsMax = 3;

export function freshWorld(nodes: readonly string[]): World {
  const on: NodeWorld = { power: "on", kubelet: true };
  return { nodes: Object.fromEntries(nodes.map((name) => [name, on])), api: true, deployments: [] };
}

export function drawVerb(random: Random, world: World): Verb {
  return pick(random, possibleVerbs(random, world));
}

function possibleVerbs(random: Random, world: World): Verb[] {
  const names = Object.keys(world.nodes);
  // What is frozen imports nothing.
  const canLoad = names.every((name) => world.nodes[name]?.power !== "frozen");
  const load: Verb[] = canLoad ? [{ kind: "load" }] : [];
  return [
    ...names.flatMap((node) => verbsOfNode(random, world, node)),
    ...verbsOfApi(world),
    ...load,
  ];
}

function verbsOfNode(random: Random, world: World, node: string): Verb[] {
  const { power, kubelet } = world.nodes[node] ?? { power: "off", kubelet: true };
  const kinds = (...list: NodeVerb[]): Verb[] => list.map((kind) => ({ kind, node }));
  const cut: Verb = { kind: "partition", node, from: [] };
  if (power === "off") return [cut, ...kinds("power-on", "heal")];
  const peers = ["api", ...Object.keys(world.nodes).filter((name) => name !== node)];
  const faults: Verb[] = [
    cut,
    { kind: "partition", node, from: [pick(random, peers)] },
    { kind: "lose", node, percent: 1 + below(random, 98) },
  ];
  if (power === "frozen") return [...faults, ...kinds("power-off", "heal", "thaw")];
  const ofKubelet = kubelet ? "kubelet-stop" : "kubelet-start";
  return [...faults, ...kinds("power-off", "heal", "freeze", "exec", ofKubelet)];
}

/** As many times as there are nodes, lest faults of nodes leave the API no turn. */
function verbsOfApi({ nodes, api, deployments }: World): Verb[] {
  if (!api) return [{ kind: "api-start" }, { kind: "api-start" }];
  const count = Object.keys(nodes).length;
  const applies = Array.from({ length: deploymentsMax }, (_, i): Verb => {
    return { kind: "apply", deployment: `web${i + 1}` };
  });
  const deletes = deployments.map((deployment): Verb => ({ kind: "delete", deployment }));
  return [...Array(count).fill(applies).flat(), ...deletes, { kind: "api-stop" }];
}

export function afterVerb(world: World, verb: Verb): World {
  const node = (change: Partial<NodeWorld>): World => {
    const name = "node" in verb ? verb.node : "";
    const old = world.nodes[name] ?? { power: "on", kubelet: true };
    return { ...world, nodes: { ...world.nodes, [name]: { ...old, ...change } } };
  };
  switch (verb.kind) {
    case "power-on":
    case "power-off":
      // A node that boots starts kubelet.
      return node({ power: verb.kind === "power-on" ? "on" : "off", kubelet: true });
    case "freeze":
    case "thaw":
      return node({ power: verb.kind === "freeze" ? "frozen" : "on" });
    case "kubelet-stop":
    case "kubelet-start":
      return node({ kubelet: verb.kind === "kubelet-start" });
    case "api-stop":
    case "api-start":
      return { ...world, api: verb.kind === "api-start" };
    case "apply":
      return { ...world, deployments: [...new Set([...world.deployments, verb.deployment])] };
    case "delete":
      return { ...world, deployments: world.deployments.filter((d) => d !== verb.deployment) };
    case "heal":
    case "exec":
    case "partition":
    case "lose":
    case "load":
      return world;
  }
}

export function describeVerb(verb: Verb): string {
  const { kind, ...rest } = verb;
  return [kind, ...Object.values(rest).flat()].join(" ");
}

/** @throws ClusterError when the verb fails, or does not do what it says. */
export async function perform(cluster: Cluster, verb: Verb): Promise<void> {
  switch (verb.kind) {
    case "power-on":
      return await cluster.powerOn(verb.node);
    case "power-off":
      return await cluster.powerOff(verb.node);
    case "heal":
      return await cluster.heal(verb.node);
    case "freeze":
      return await cluster.freeze(verb.node);
    case "thaw":
      return await cluster.thaw(verb.node);
    case "kubelet-stop":
      return await cluster.kubeletStop(verb.node);
    case "kubelet-start":
      return await cluster.kubeletStart(verb.node);
    case "partition":
      return await cluster.partition(verb.node, verb.from);
    case "lose":
      return await cluster.lose(verb.node, verb.percent);
    case "api-stop":
      return await cluster.apiStop();
    case "api-start":
      return await cluster.apiStart();
    case "load":
      return await cluster.load(path.join((await cluster.layout()).images, "client.tar"));
    case "apply":
      return await (await cluster.kubectl()).apply(webServers(verb.deployment, 2));
    case "delete":
      await (await cluster.kubectl()).run([
        ...["delete", "deployment", verb.deployment],
        ...["--wait=false", "--ignore-not-found"],
      ]);
      return;
    case "exec":
      return await requireOwnName(cluster, verb.node);
  }
}

async function requireOwnName(cluster: Cluster, node: string): Promise<void> {
  const answer = (await cluster.exec(node, ["cat", "/etc/hostname"])).trim();
  if (answer !== node) throw new ClusterError(`exec ${node} ran on "${answer}"`);
}
