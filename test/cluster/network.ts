/**
 * The cluster's network: a bridge in the machine's network namespace, with a cable (veth) to each
 * node and a route to each node's pods. The machine itself can reach every node and pod.
 */
import net from "node:net";
import { ClusterError } from "./cluster-error.ts";
import { forgetBridge, letBridgeThrough } from "./firewall.ts";
import { type Layout, loopbackAddress, type NodeLayout, numbersMax, numbersMin } from "./layout.ts";
import { attempt, type Ended, run } from "./run-program.ts";

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

/**
 * Removes the bridge, its routes with it, and cables whose node has not taken them along.
 * @throws ClusterError when something of it is still there.
 */
export async function removeNetwork(layout: Layout): Promise<void> {
  await removeLinks([...layout.nodes.map((node) => node.link), layout.bridge]);
  await forgetBridge(layout.bridge);
}

/** Runs ip(8); a test has one of its own. */
export type Ip = (args: readonly string[]) => Promise<Ended>;

const machineIp: Ip = (args) => attempt("ip", args);

/** Those of them that are there. @throws ClusterError */
export async function removeLinks(names: readonly string[], ip = machineIp): Promise<void> {
  const words = new Map<string, string>();
  for (const link of await linksAmong(names, ip)) {
    words.set(link, (await ip(["link", "delete", link])).stderr.trim());
  }
  // A link that vanished in between (its node's namespace was being taken down) is gone as well.
  const left = words.size === 0 ? [] : await linksAmong(names, ip);
  if (left.length === 0) return;
  const why = left.map((link) => `${link} (${words.get(link) ?? "made anew"})`).join(", ");
  throw new ClusterError(
    `these links could not be removed: ${why}; remove each with: ip link delete LINK; then run down again`,
  );
}

async function linksAmong(names: readonly string[], ip: Ip): Promise<string[]> {
  const { code, stdout, stderr } = await ip(["-json", "link", "show"]);
  if (code !== 0) throw new ClusterError(`ip cannot list this machine's links: ${stderr.trim()}`);
  const there: readonly { readonly ifname: string }[] = JSON.parse(stdout);
  return names.filter((name) => there.some(({ ifname }) => ifname === name));
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

/** Whether nobody listens there: neither a cluster of another user, with records of its own, nor one that is just ending. */
export function isFree(address: string, port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
