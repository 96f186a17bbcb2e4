/**
 * Faults of a node's network that are finer than pulling its cable: packets from and to some peers, or
 * a share of all packets, are dropped where the cable ends in the node, without a word to the sender.
 * A node that is switched off forgets them.
 */
import { ClusterError } from "./cluster-error.ts";
import type { Layout } from "./layout.ts";
import type { ClusterProcess } from "./processes.ts";
import { run } from "./run-program.ts";

const table = "lockstep_faults";

/** What is dropped on its way in, and on its way out, as matches of nft(8). */
export interface Fault {
  readonly arriving: string;
  readonly leaving: string;
}

/** The addresses of a peer: another node with its pods, or "api", the machine with the control plane. */
export function peerNetworks(layout: Layout, peer: string): string[] {
  if (peer === "api") return [layout.machineAddress];
  const node = layout.nodes.find(({ name }) => name === peer);
  if (node !== undefined) return [node.address, node.podNetwork];
  const names = ["api", ...layout.nodes.map(({ name }) => name)].join(", ");
  throw new ClusterError(`there is no "${peer}" to cut a node off from; give one of ${names}`);
}

/** Replaces the node's fault, or with null, ends it. */
export async function setFault(first: ClusterProcess, fault: Fault | null): Promise<void> {
  // Of the node only its network: a node that is frozen has a cable all the same.
  const args = [`--net=/proc/${first.pid}/ns/net`, "nft", "-f", "-"];
  await run("nsenter", args, { input: ruleset(fault) });
}

/** In the language of nft(8): whether there was a fault before or not, there is this one after. */
export function ruleset(fault: Fault | null): string {
  const none = `table netdev ${table} {}\ndelete table netdev ${table}\n`;
  if (fault === null) return none;
  const chain = (name: string, hook: string, match: string) =>
    `  chain ${name} {\n    type filter hook ${hook} device "eth0" priority 0;\n    ${match} drop\n  }\n`;
  const chains = [
    chain("arriving", "ingress", fault.arriving),
    chain("leaving", "egress", fault.leaving),
  ];
  return `${none}table netdev ${table} {\n${chains.join("")}}\n`;
}

export function fromPeers(networks: readonly string[]): Fault {
  const set = `{ ${networks.join(", ")} }`;
  return { arriving: `ip saddr ${set}`, leaving: `ip daddr ${set}` };
}

/** In per cent, to a tenth. */
export function shareOf(percent: number): Fault {
  const dice = `numgen random mod 1000 < ${Math.round(percent * 10)}`;
  return { arriving: dice, leaving: dice };
}
