/**
 * The cluster's network: a bridge in the machine's network namespace, with a cable (veth) to each
 * node and a route to each node's pods. The machine itself can reach every node and pod.
 */
import net from "node:net";
import { ClusterError } from "./cluster-error.ts";
import { forgetBridge, letBridgeThrough } from "./firewall.ts";
import { type Layout, loopbackAddress, type NodeLayout, numbersMax, numbersMin } from "./layout.ts";
import { attempt, run } from "./run-program.ts";

/** Of a network that is somebody's: 10.0.0.0/8 is the largest that is private. */
const shortestPrefix = 8;

/** @throws ClusterError */
export async function makeNetwork(layout: Layout): Promise<void> {
  const { bridge, machineAddress } = layout;
  await run("ip", ["link", "add", bridge, "type", "bridge"]);
  await run("ip", ["address", "add", `${machineAddress}/24`, "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);
  for (const { podNetwork, address } of layout.nodes) {
    await run("ip", ["route", "add", podNetwork, "via", address, "dev", bridge]);
  }
  await letBridgeThrough(bridge);
}

/** Removes the bridge, its routes with it, and cables whose node has not taken them along. */
export async function removeNetwork(layout: Layout): Promise<void> {
  for (const link of [...layout.nodes.map((node) => node.link), layout.bridge]) {
    const { code } = await attempt("ip", ["link", "show", link]);
    // A link that vanishes in between (its node's namespace is being taken down) is gone as well.
    if (code === 0) await attempt("ip", ["link", "delete", link]);
  }
  await forgetBridge(layout.bridge);
}

/** Pulls out the cable of a node that runs, or plugs it in. */
export async function setCable(node: NodeLayout, state: "up" | "down"): Promise<void> {
  await run("ip", ["link", "set", node.link, state]);
}

export interface Wanted {
  readonly taken: ReadonlySet<number>;
  readonly port: number;
  /** Without nodes a cluster has no addresses but its own of loopback. */
  readonly hasNodes: boolean;
}

/**
 * The first number that no cluster has, and whose addresses nobody uses on this machine.
 * @throws ClusterError when there is none.
 */
export async function chooseNumber({ taken, port, hasNodes }: Wanted): Promise<number> {
  const routes = hasNodes ? await usedNetworks() : [];
  for (let number = numbersMin; number <= numbersMax; number++) {
    if (taken.has(number)) continue;
    if (routes.some((route) => overlaps(route, number))) continue;
    if (await isFree(loopbackAddress(number), port)) return number;
  }
  throw new ClusterError(
    `every network from 10.${numbersMin}.0.0/16 to 10.${numbersMax}.0.0/16 is in use on this machine, by a ` +
      "cluster (status lists them) or a route (ip route lists them); end a cluster that is not needed, or " +
      "use --level api",
  );
}

async function usedNetworks(): Promise<string[]> {
  const { code, stdout } = await attempt("ip", ["-json", "-4", "route", "show", "table", "all"]);
  if (code !== 0) return [];
  return networksOf(JSON.parse(stdout));
}

/** Where the routes lead to, but for the default route (of which some VPNs make two halves). */
export function networksOf(routes: readonly { dst?: string }[]): string[] {
  return routes.flatMap(({ dst = "default" }) => {
    const isDefault = dst === "default" || Number(dst.split("/")[1] ?? "32") < shortestPrefix;
    return isDefault ? [] : [dst];
  });
}

/** Whether the network or address has something in common with 10.NUMBER.0.0/16. */
export function overlaps(network: string, number: number): boolean {
  const [address = "", length = "32"] = network.split("/");
  const octets = address.split(".").map(Number);
  const bits = Math.min(Number(length), 16);
  const theirs = ((octets[0] ?? 0) << 8) | (octets[1] ?? 0);
  const ours = (10 << 8) | number;
  return theirs >> (16 - bits) === ours >> (16 - bits);
}

/** Clusters of another user have their own records: their ports tell. */
function isFree(address: string, port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
