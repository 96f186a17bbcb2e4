/** What policies let through, decided by the rules that a node would be given. */
import { expect, test } from "@jest/globals";
import type { NetworkPolicy, Pod } from "./kubernetes-objects.ts";
import { isSelected, type PolicyWorld, rulesOfNode } from "./network-policy-rules.ts";

const server = pod("shop/server", { address: "10.1.1.2", labels: { app: "server" } });
const friend = pod("shop/friend", {
  address: "10.1.2.2",
  labels: { role: "friend" },
  node: "node2",
});
const stranger = pod("shop/stranger", { address: "10.1.2.3", node: "node2" });
const foreign = pod("bank/friend", { address: "10.1.3.2", labels: { role: "friend" } });
const namespaces = [
  { metadata: { name: "shop", labels: { team: "a" } } },
  { metadata: { name: "bank", labels: { team: "b" } } },
];
const pods = [server, friend, stranger, foreign];
const friends = { podSelector: { matchLabels: { role: "friend" } } };
const everyNamespace = { namespaceSelector: {} };

interface PodSpec {
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly created?: string;
  readonly phase?: string;
  readonly hostNetwork?: boolean;
  readonly web?: number;
}

function pod(fullName: string, spec: PodSpec): Pod {
  const { address, labels = {}, node = "node1", created = "2026-01-01", phase = "Running" } = spec;
  const [namespace = "", name = ""] = fullName.split("/");
  const ports = [{ name: "web", containerPort: spec.web ?? 8080 }];
  return {
    metadata: { name, namespace, labels, creationTimestamp: created },
    spec: { nodeName: node, hostNetwork: spec.hostNetwork ?? false, containers: [{ ports }] },
    status: { phase, podIP: address },
  };
}

function policy(spec: NetworkPolicy["spec"]): NetworkPolicy {
  return { metadata: { name: "policy", namespace: "shop" }, spec };
}

/** The lines of a chain; null: there is none. */
function chain(name: string, policies: readonly NetworkPolicy[], world: Partial<PolicyWorld> = {}) {
  const text = rulesOfNode("node1", { pods, namespaces, policies, ...world });
  const body = new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n {2}\\}`).exec(text);
  return body?.[1]?.split("\n").map((line) => line.trim()) ?? null;
}

const own = "ip saddr 10.1.1.2 return";
const drop = 'counter drop comment "shop/server"';

test("without a policy nothing is in the way", () => {
  const text = rulesOfNode("node1", { pods, namespaces, policies: [] });
  expect(text).not.toContain("drop");
  expect(text).not.toContain("jump");
});

test("rules replace the ones before in one step, and replies always pass", () => {
  const lines = rulesOfNode("node1", { pods, namespaces, policies: [] }).split("\n");
  expect(lines.slice(0, 3)).toEqual([
    "table ip network_policies",
    "delete table ip network_policies",
    "table ip network_policies {",
  ]);
  expect(chain("forward", [])).toEqual([
    "type filter hook forward priority filter; policy accept;",
    "ct state established,related accept",
  ]);
});

const ingress: readonly [string, NetworkPolicy["spec"], readonly string[]][] = [
  ["nothing", { podSelector: {} }, []],
  ["everything", { podSelector: {}, ingress: [{}] }, ["return"]],
  [
    "pods of the same namespace by label",
    { ingress: [{ from: [friends] }] },
    ["ip saddr 10.1.2.2 return"],
  ],
  [
    "pods of all namespaces by label",
    { ingress: [{ from: [{ ...friends, ...everyNamespace }] }] },
    ["ip saddr { 10.1.2.2, 10.1.3.2 } return"],
  ],
  [
    "a namespace by label",
    { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "b" } } }] }] },
    ["ip saddr 10.1.3.2 return"],
  ],
  [
    "peers that are nowhere",
    { ingress: [{ from: [{ podSelector: { matchLabels: { no: "x" } } }] }] },
    [],
  ],
  [
    "ports of several protocols",
    { ingress: [{ ports: [{ port: 80 }, { protocol: "UDP", port: 53 }, { protocol: "SCTP" }] }] },
    ["tcp dport 80 return", "udp dport 53 return", "meta l4proto sctp return"],
  ],
  [
    "a range of ports from somebody",
    { ingress: [{ from: [friends], ports: [{ port: 8000, endPort: 8010 }] }] },
    ["ip saddr 10.1.2.2 tcp dport 8000-8010 return"],
  ],
  [
    "a port by the name it has in this pod",
    { ingress: [{ ports: [{ port: "web" }] }] },
    ["tcp dport 8080 return"],
  ],
  ["a port by a name that nobody has", { ingress: [{ ports: [{ port: "none" }] }] }, []],
  [
    "a named port of another protocol",
    { ingress: [{ ports: [{ port: "web", protocol: "UDP" }] }] },
    [],
  ],
  [
    "addresses but for some",
    { ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] } }] }] },
    ["ip saddr 10.0.0.0/8 ip saddr != 10.9.0.0/16 return"],
  ],
  ["addresses of IPv6 only", { ingress: [{ from: [{ ipBlock: { cidr: "fd00::/8" } }] }] }, []],
];

test.each(ingress)("ingress from %s", (_, spec, allowed) => {
  expect(chain("to_10_1_1_2", [policy(spec)])).toEqual([own, ...allowed, drop]);
});

test("what any of several policies allows is allowed", () => {
  const both = [
    policy({ ingress: [{ from: [friends] }] }),
    policy({ ingress: [{ ports: [{ port: 1 }] }] }),
  ];
  const allowed = ["ip saddr 10.1.2.2 return", "tcp dport 1 return"];
  expect(chain("to_10_1_1_2", both)).toEqual([own, ...allowed, drop]);
});

const directions: readonly [string, NetworkPolicy["spec"], boolean, boolean][] = [
  ["says nothing", {}, true, false],
  ["has egress rules", { egress: [] }, true, true],
  ["is about egress only", { policyTypes: ["Egress"] }, false, true],
  ["is about both", { policyTypes: ["Ingress", "Egress"] }, true, true],
  [
    "is about ingress only, whatever it has",
    { policyTypes: ["Ingress"], egress: [{}] },
    true,
    false,
  ],
  ["selects other pods", { podSelector: { matchLabels: { app: "other" } } }, false, false],
];

test.each(directions)("a policy that %s isolates as it should", (_, spec, inward, outward) => {
  expect(chain("to_10_1_1_2", [policy(spec)]) !== null).toBe(inward);
  expect(chain("from_10_1_1_2", [policy(spec)]) !== null).toBe(outward);
});

test("a policy is about pods of its own namespace, and a node's rules about its own pods", () => {
  const text = rulesOfNode("node1", { pods, namespaces, policies: [policy({})] });
  expect(text.match(/chain to_\w+/g)).toEqual(["chain to_10_1_1_2"]);
  expect(chain("forward", [policy({})])?.at(-1)).toBe(
    "ip daddr vmap { 10.1.1.2 : jump to_10_1_1_2 }",
  );
});

test("egress to a named port means each peer's own", () => {
  const other = pod("shop/other", { address: "10.1.2.9", labels: { role: "friend" }, web: 9000 });
  const spec = { policyTypes: ["Egress"], egress: [{ to: [friends], ports: [{ port: "web" }] }] };
  const lines = chain("from_10_1_1_2", [policy(spec)], { pods: [...pods, other] });
  expect(lines?.slice(1, -1)).toEqual([
    "ip daddr 10.1.2.2 tcp dport 8080 return",
    "ip daddr 10.1.2.9 tcp dport 9000 return",
  ]);
});

const without: readonly [string, PodSpec][] = [
  ["has ended", { address: "10.1.2.2", labels: { role: "friend" }, phase: "Succeeded" }],
  ["failed", { address: "10.1.2.2", labels: { role: "friend" }, phase: "Failed" }],
  [
    "has its node's address",
    { address: "10.1.2.2", labels: { role: "friend" }, hostNetwork: true },
  ],
  ["has no address yet", { address: "", labels: { role: "friend" } }],
];

test.each(without)("a pod that %s is nobody's peer", (_, spec) => {
  const world = { pods: [server, pod("shop/peer", spec)] };
  const lines = chain("to_10_1_1_2", [policy({ ingress: [{ from: [friends] }] })], world);
  expect(lines).toEqual([own, drop]);
});

test("of two pods with one address the younger has it", () => {
  const late = pod("shop/late", { address: "10.1.1.2", created: "2026-01-02" });
  for (const both of [
    [server, late],
    [late, server],
  ]) {
    const text = rulesOfNode("node1", { pods: both, namespaces, policies: [policy({})] });
    expect(text.match(/chain to_10_1_1_2/g)).toHaveLength(1);
    expect(text).toContain("shop/late");
  }
});

const selections: readonly [string, Parameters<typeof isSelected>[0], boolean][] = [
  ["no selector", undefined, true],
  ["an empty selector", {}, true],
  ["its label", { matchLabels: { a: "1" } }, true],
  ["another value", { matchLabels: { a: "2" } }, false],
  ["one label of two", { matchLabels: { a: "1", b: "1" } }, false],
  ["In", { matchExpressions: [{ key: "a", operator: "In", values: ["0", "1"] }] }, true],
  [
    "In without the label",
    { matchExpressions: [{ key: "b", operator: "In", values: ["1"] }] },
    false,
  ],
  ["NotIn", { matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, false],
  [
    "NotIn without the label",
    { matchExpressions: [{ key: "b", operator: "NotIn", values: ["1"] }] },
    true,
  ],
  ["Exists", { matchExpressions: [{ key: "a", operator: "Exists" }] }, true],
  ["Exists without the label", { matchExpressions: [{ key: "b", operator: "Exists" }] }, false],
  ["DoesNotExist", { matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, false],
];

test.each(selections)("a pod labelled a=1 and %s", (_, selector, selected) => {
  expect(isSelected(selector, { a: "1" })).toBe(selected);
});
