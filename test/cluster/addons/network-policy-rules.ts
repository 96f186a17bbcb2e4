/**
 * NetworkPolicies as nftables rules of one node: a pure function of what the cluster says. Every pod
 * that a policy selects has a chain per direction. It lets through what one of its policies allows
 * and drops the rest. Replies, a pod's talk with itself and with its own node always pass.
 *
 *     forward ─┬─ saddr is a pod that is isolated in egress ──▶ from_10_1_1_2: return … drop
 *              └─ daddr is a pod that is isolated in ingress ─▶ to_10_1_1_2:   return … drop
 *
 * The rules see packets after kube-proxy chose a Service's pod, and before any source is rewritten:
 * both ends are pods. One node's rules are about its own pods only, so a packet from node to node is
 * judged twice: egress where it leaves, ingress where it arrives.
 */
import type {
  Container,
  KubernetesObject,
  LabelRequirement,
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  Pod,
} from "./kubernetes-objects.ts";

const tableName = "network_policies";

export interface PolicyWorld {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly KubernetesObject[];
  readonly policies: readonly NetworkPolicy[];
}

type Direction = "ingress" | "egress";

/** A pod with an address of its own. */
interface Endpoint {
  readonly pod: Pod;
  readonly address: string;
}

interface View extends PolicyWorld {
  readonly endpoints: readonly Endpoint[];
}

interface Isolation {
  readonly endpoint: Endpoint;
  readonly direction: Direction;
  readonly policies: readonly NetworkPolicy[];
}

/** Input of `nft -f -`: takes the place of all earlier rules of this table, in one step. */
export function rulesOfNode(node: string, world: PolicyWorld): string {
  const view = { ...world, endpoints: endpointsOf(world.pods) };
  const local = view.endpoints.filter(({ pod }) => pod.spec.nodeName === node);
  const chains = local.flatMap((endpoint) => isolationsOf(endpoint, world.policies));
  const lines = [
    `table ip ${tableName}`,
    `delete table ip ${tableName}`,
    `table ip ${tableName} {`,
    ...chains.flatMap((chain) => chainOf(chain, view)),
    "  chain forward {",
    "    type filter hook forward priority filter; policy accept;",
    "    ct state established,related accept",
    ...jumps("ip saddr", chains, "egress"),
    ...jumps("ip daddr", chains, "ingress"),
    "  }",
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Pods that ended have no address any more. A node that lost its power forgets which addresses it
 * gave away: of two pods with one address, the younger has it.
 */
function endpointsOf(pods: readonly Pod[]): Endpoint[] {
  const owners = new Map<string, Pod>();
  const ended = ["Succeeded", "Failed"];
  const byAge = [...pods].sort((a, b) => compare(createdAt(a), createdAt(b)));
  for (const pod of byAge) {
    const { podIP = "", phase = "" } = pod.status ?? {};
    const isOwn = podIP.includes(".") && pod.spec.hostNetwork !== true && !ended.includes(phase);
    if (isOwn) owners.set(podIP, pod);
  }
  return [...owners]
    .map(([address, pod]) => ({ address, pod }))
    .sort((a, b) => compare(a.address, b.address));
}

function createdAt(pod: Pod): string {
  return pod.metadata.creationTimestamp ?? "";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function isolationsOf(endpoint: Endpoint, policies: readonly NetworkPolicy[]): Isolation[] {
  const { metadata } = endpoint.pod;
  const selecting = policies.filter(({ metadata: { namespace }, spec }) => {
    return namespace === metadata.namespace && isSelected(spec.podSelector, metadata.labels);
  });
  return (["ingress", "egress"] as const).flatMap((direction) => {
    const isolating = selecting.filter((policy) => isAbout(policy, direction));
    return isolating.length === 0 ? [] : [{ endpoint, direction, policies: isolating }];
  });
}

/** The default of `policyTypes`: Ingress always, Egress if there are egress rules. */
function isAbout({ spec }: NetworkPolicy, direction: Direction): boolean {
  const types = spec.policyTypes?.map((type) => type.toLowerCase());
  return types?.includes(direction) ?? (direction === "ingress" || spec.egress !== undefined);
}

function chainName({ endpoint, direction }: Isolation): string {
  const prefix = direction === "ingress" ? "to" : "from";
  return `${prefix}_${endpoint.address.replaceAll(".", "_")}`;
}

function jumps(match: string, chains: readonly Isolation[], direction: Direction): string[] {
  const jumpsToThem = chains
    .filter((chain) => chain.direction === direction)
    .map((chain) => `${chain.endpoint.address} : jump ${chainName(chain)}`);
  return jumpsToThem.length === 0 ? [] : [`    ${match} vmap { ${jumpsToThem.join(", ")} }`];
}

function chainOf(chain: Isolation, view: View): string[] {
  const { endpoint, direction, policies } = chain;
  const { namespace, name } = endpoint.pod.metadata;
  const far = direction === "ingress" ? "saddr" : "daddr";
  const allowed = policies.flatMap((policy) => matchesOf(policy, chain, view));
  return [
    `  chain ${chainName(chain)} {`,
    // It comes back to itself when it is behind the Service that it calls.
    `    ip ${far} ${endpoint.address} return`,
    ...[...new Set(allowed)].map((match) => `    ${match}return`),
    `    counter drop comment ${JSON.stringify(`${namespace}/${name}`.slice(0, 100))}`,
    "  }",
  ];
}

/** What a policy allows this pod, each as a match (with a blank at its end; "" matches everything). */
function matchesOf(
  policy: NetworkPolicy,
  { endpoint, direction }: Isolation,
  view: View,
): string[] {
  const namespace = policy.metadata.namespace ?? "";
  const rules =
    direction === "ingress"
      ? (policy.spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
      : (policy.spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
  return rules.flatMap(({ peers = [], ports = [] }) => {
    const groups = peers.length === 0 ? [everybody(view)] : groupsOf(peers, namespace, view);
    return groups.flatMap((group) => matchesOfGroup(group, ports, { endpoint, direction }));
  });
}

/** Addresses that a rule's peers come down to. */
interface PeerGroup {
  /** As nftables says it, after `ip saddr` or `ip daddr`; null: whatever the address. */
  readonly addresses: readonly string[] | null;
  readonly except: readonly string[];
  /** The pods among them: their containers' ports have names. */
  readonly endpoints: readonly Endpoint[];
}

function everybody(view: View): PeerGroup {
  return { addresses: null, except: [], endpoints: view.endpoints };
}

function groupsOf(peers: readonly NetworkPolicyPeer[], namespace: string, view: View): PeerGroup[] {
  const blocks = peers.flatMap(({ ipBlock }) => ipBlock ?? []).filter((b) => isIpv4(b.cidr));
  const groups: PeerGroup[] = blocks.map(({ cidr, except = [] }) => {
    return { addresses: [cidr], except: except.filter(isIpv4), endpoints: [] };
  });
  const endpoints = view.endpoints.filter(({ pod }) => {
    return peers.some((peer) => isPeer(peer, pod, namespace, view));
  });
  if (endpoints.length === 0) return groups;
  const addresses = endpoints.map(({ address }) => address);
  return [...groups, { addresses, except: [], endpoints }];
}

function isIpv4(cidr: string): boolean {
  return !cidr.includes(":");
}

function isPeer(peer: NetworkPolicyPeer, { metadata }: Pod, own: string, view: View): boolean {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (ipBlock !== undefined) return false;
  if (!isSelected(podSelector, metadata.labels)) return false;
  if (namespaceSelector === undefined) return metadata.namespace === own;
  const namespace = view.namespaces.find(({ metadata: { name } }) => name === metadata.namespace);
  return namespace !== undefined && isSelected(namespaceSelector, namespace.metadata.labels);
}

function matchesOfGroup(
  group: PeerGroup,
  ports: readonly NetworkPolicyPort[],
  { endpoint, direction }: Pick<Isolation, "endpoint" | "direction">,
): string[] {
  const far = direction === "ingress" ? "saddr" : "daddr";
  const base = `${addressMatch(far, group.addresses)}${exceptMatch(far, group.except)}`;
  if (ports.length === 0) return [base];
  return ports.flatMap((port) => {
    const { protocol = "TCP" } = port;
    if (typeof port.port !== "string") return [`${base}${portMatch(port)}`];
    // A name is one of the pod that is called: of this one, or of each peer its own.
    const called = direction === "ingress" ? [endpoint] : group.endpoints;
    return called.flatMap(({ address, pod }) => {
      const number = numberOf(port, pod);
      if (number === null) return [];
      const where = direction === "ingress" ? base : addressMatch(far, [address]);
      return [`${where}${portMatch({ protocol, port: number })}`];
    });
  });
}

function addressMatch(far: string, addresses: readonly string[] | null): string {
  if (addresses === null) return "";
  const [first, ...others] = new Set(addresses);
  // A set would not take 0.0.0.0/0 in every version of nftables.
  if (others.length === 0) return `ip ${far} ${first} `;
  return `ip ${far} { ${[first, ...others].join(", ")} } `;
}

function exceptMatch(far: string, except: readonly string[]): string {
  return except.map((cidr) => `ip ${far} != ${cidr} `).join("");
}

function portMatch({ protocol = "TCP", port, endPort }: NetworkPolicyPort): string {
  const name = protocol.toLowerCase();
  if (port === undefined) return `meta l4proto ${name} `;
  return `${name} dport ${endPort === undefined ? port : `${port}-${endPort}`} `;
}

function numberOf({ port, protocol = "TCP" }: NetworkPolicyPort, { spec }: Pod): number | null {
  const containers: readonly Container[] = [...spec.containers, ...(spec.initContainers ?? [])];
  const named = containers
    .flatMap(({ ports = [] }) => ports)
    .find((one) => one.name === port && (one.protocol ?? "TCP") === protocol);
  return named?.containerPort ?? null;
}

/** No selector selects everything. */
export function isSelected(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector = {},
  labels: Readonly<Record<string, string>> = {},
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every((requirement) => isMet(requirement, labels[requirement.key]))
  );
}

function isMet({ operator, values = [] }: LabelRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
