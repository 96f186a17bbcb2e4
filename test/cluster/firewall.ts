/**
 * Where the machine has a firewall (ufw, or what Docker leaves), it would keep the nodes from each other
 * and from the API server: the cluster's bridge is let through. A machine without rules gets none.
 */
import { ClusterError } from "./cluster-error.ts";
import { attempt, type Ended } from "./run-program.ts";

type Chain = "INPUT" | "FORWARD";

const chains: readonly Chain[] = ["INPUT", "FORWARD"];

/** Runs iptables(8); a test has one of its own. */
export type Iptables = (args: readonly string[]) => Promise<Ended>;

/** Waits for others who change the rules at this moment. */
const machineIptables: Iptables = (args) => attempt("iptables", ["-w", ...args]);

/** @throws ClusterError */
export async function letBridgeThrough(bridge: string, iptables = machineIptables): Promise<void> {
  for (const chain of chains) {
    if (!hasRules(await rulesOf(chain, iptables))) continue;
    const { code, stderr } = await iptables(["-I", ...ruleOf(chain, bridge)]);
    if (code !== 0) throw failed(`cannot let ${bridge} through`, chain, stderr);
  }
}

/** Removes what was put there for this bridge. @throws ClusterError when some of it is still there. */
export async function forgetBridge(bridge: string, iptables = machineIptables): Promise<void> {
  for (const chain of chains) {
    const rule = ruleOf(chain, bridge);
    const count = async () => {
      const rules = (await rulesOf(chain, iptables)).split("\n");
      return rules.filter((line) => line.trim() === `-A ${rule.join(" ")}`).length;
    };
    const words: string[] = [];
    for (let left = await count(); left > 0; left--) {
      words.push((await iptables(["-D", ...rule])).stderr);
    }
    if (words.length === 0 || (await count()) === 0) continue;
    throw failed(`still lets ${bridge} through`, chain, words.join(""));
  }
}

/** As iptables(8) tells them: first the policy, then a rule a line. */
async function rulesOf(chain: Chain, iptables: Iptables): Promise<string> {
  const { code, stdout, stderr } = await iptables(["-S", chain]);
  if (code === 0) return stdout;
  if (/table does not exist/i.test(stderr)) return "";
  throw failed("cannot be read", chain, stderr);
}

function failed(what: string, chain: Chain, words: string): ClusterError {
  return new ClusterError(
    `this machine's firewall, of which a cluster must know the chain ${chain}, ${what} with iptables: ` +
      `${words.trim()}; see what iptables -S ${chain} says`,
  );
}

function hasRules(rules: string): boolean {
  return !/^-P \w+ ACCEPT\n?$|^$/.test(rules);
}

/** Within the bridge, what one node sends another is forwarded only where br_netfilter is loaded. */
function ruleOf(chain: Chain, bridge: string): string[] {
  const where = chain === "INPUT" ? ["-i", bridge] : ["-i", bridge, "-o", bridge];
  return [chain, ...where, "-j", "ACCEPT"];
}
