/**
 * Where the machine has a firewall (ufw, or what Docker leaves), it would keep the nodes from each other
 * and from the API server: the cluster's bridge is let through. A machine without rules gets none.
 */
import { attempt, run } from "./run-program.ts";

const chains = ["INPUT", "FORWARD"] as const;

/** @throws ClusterError */
export async function letBridgeThrough(bridge: string): Promise<void> {
  for (const chain of chains) {
    if (hasRules(await rulesOf(chain))) await run("iptables", ["-I", ...ruleOf(chain, bridge)]);
  }
}

/** Removes what was put there for this bridge. */
export async function forgetBridge(bridge: string): Promise<void> {
  for (const chain of chains) {
    const isOurs = (rule: string) => rule.split(" ").includes(bridge);
    const count = (await rulesOf(chain)).split("\n").filter(isOurs).length;
    for (let i = 0; i < count; i++) await attempt("iptables", ["-D", ...ruleOf(chain, bridge)]);
  }
}

/** As iptables(8) tells them: first the policy, then a rule a line. */
async function rulesOf(chain: (typeof chains)[number]): Promise<string> {
  return (await attempt("iptables", ["-S", chain])).stdout;
}

function hasRules(rules: string): boolean {
  return !/^-P \w+ ACCEPT\n?$|^$/.test(rules);
}

/** Within the bridge, what one node sends another is forwarded only where br_netfilter is loaded. */
function ruleOf(chain: (typeof chains)[number], bridge: string): string[] {
  const where = chain === "INPUT" ? ["-i", bridge] : ["-i", bridge, "-o", bridge];
  return [chain, ...where, "-j", "ACCEPT"];
}
