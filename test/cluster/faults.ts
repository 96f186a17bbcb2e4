/**
 * Faults of a node's network that are finer than its cable: packets from and to some peers, or a share
 * of all packets, are dropped in the node's own network namespace, on their way in, out and through
 * (pods are routed). A node that is switched off forgets them.
 */
import { ClusterError } from "./cluster-error.ts";
import type { Layout } from "./layout.ts";
import { insideNode } from "./node.ts";
import type { ClusterProcess } from "./processes.ts";
import { run } from "./run-program.ts";

const table = "lockstep_faults";
/** Before everything that kube-proxy or a policy engine does. */
const priority = -400;

/** The addresses of a peer: another node with its pods, or "api", the machine with the control plane. */
export function peerNetworks(layout: Layout, peer: string): string[] {
  if (peer === "api") return [layout.machineAddress];
  const node = layout.nodes.find(({ name }) => name === peer);
  if (node !== undefined) return [node.address, node.podNetwork];
  const names = ["api", ...layout.nodes.map(({ name }) => name)].join(", ");
  throw new ClusterError(`there is no "${peer}" to cut a node off from; give one of ${names}`);
}

/** Replaces the node's faults by these rules; none: it has no faults any more. */
export async function setFaults(first: ClusterProcess, rules: readonly string[]): Promise<void> {
  const [program, args] = insideNode(first, ["nft", "-f", "-"]);
  await run(program, args, { input: ruleset(rules) });
}

/** In the language of nft(8). */
export function ruleset(rules: readonly string[]): string {
  const empty = `table inet ${table} {}\ndelete table inet ${table}\n`;
  if (rules.length === 0) return empty;
  const chains = ["prerouting", "output", "forward"].map((hook) => {
    const body = rules.map((rule) => `    ${rule}\n`).join("");
    return `  chain ${hook} {\n    type filter hook ${hook} priority ${priority};\n${body}  }\n`;
  });
  return `${empty}table inet ${table} {\n${chains.join("")}}\n`;
}

export function dropPeer(networks: readonly string[]): string[] {
  const set = `{ ${networks.join(", ")} }`;
  return [`ip saddr ${set} drop`, `ip daddr ${set} drop`];
}

/** Of what goes over the cable; what stays within the node is not lost. */
export function dropShare(percent: number): string[] {
  const dice = `numgen random mod 1000 < ${Math.round(percent * 10)} drop`;
  return [`iifname "eth0" ${dice}`, `oifname "eth0" ${dice}`];
}
