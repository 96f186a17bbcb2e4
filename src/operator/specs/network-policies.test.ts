import { expect, test } from "@jest/globals";
import { dnsPort, machineOf, settings, webPort } from "../../../test/api/specs-machines.ts";
import { gatewayPolicy, runnerPolicy } from "./network-policies.ts";

type Labels = Readonly<Record<string, string>>;
interface Selector {
  readonly matchLabels?: Labels;
}
interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
}
interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly protocol: string; readonly port: number }[];
}
interface Spec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress: readonly Rule[];
  readonly egress?: readonly Rule[];
}
/** Somebody at the other end: a pod, or (without a namespace) a place outside the cluster. */
interface Somebody {
  readonly labels: Labels;
  readonly namespace?: Labels;
  readonly sameNamespace?: boolean;
}

const vm = machineOf({ network: { ports: [webPort, dnsPort] } });
const own = { "kubernetes.io/metadata.name": "default" };
const pod = (component: string, name = "web"): Somebody => ({
  labels: { "lockstep.dev/vm": name, "lockstep.dev/component": component },
  namespace: own,
  sameNamespace: true,
});
const elsewhere = (labels: Labels, namespace: string, more: Labels = {}): Somebody => ({
  labels,
  namespace: { "kubernetes.io/metadata.name": namespace, ...more },
});
const beside = { labels: {}, namespace: own, sameNamespace: true } as const;
const people = {
  "the VM's runner": pod("runner"),
  "the VM's gateway": pod("gateway"),
  "another VM's runner": pod("runner", "other"),
  "a runner of its name elsewhere": { ...pod("runner"), sameNamespace: false },
  "any pod beside it": beside,
  "the operator": elsewhere(settings.operatorLabels, "lockstep-system"),
  "a pod beside the operator": elsewhere({}, "lockstep-system"),
  "one that calls itself operator": elsewhere(settings.operatorLabels, "default"),
  "a scraper beside it": { ...beside, labels: { "lockstep.dev/scrape": "true" } },
  "one that calls itself scraper": elsewhere({ "lockstep.dev/scrape": "true" }, "tenant"),
  "a scraper by its namespace": elsewhere({}, "metrics", { "lockstep.dev/monitoring": "true" }),
  "somebody outside": { labels: {} },
} satisfies Record<string, Somebody>;
const names = Object.keys(people);
const readers = ["the operator", "a scraper beside it", "a scraper by its namespace"];

test.each([
  ["TCP", 7100, ["the VM's runner"]],
  ["UDP", 7100, ["the VM's runner"]],
  ["TCP", 7101, readers],
  ["TCP", 7102, ["the operator"]],
  ["TCP", 7103, []],
])("a runner's port %s %i is reached by %j alone", (protocol, port, who) => {
  expect(reaching(runnerPolicy(vm, settings), "ingress", protocol, port)).toEqual(who);
});

test.each([
  ["TCP", 7200, ["the VM's runner"]],
  ["TCP", 7101, readers],
  ["TCP", 20_000, names],
  ["UDP", 20_001, names],
  ["UDP", 20_000, []],
  ["TCP", 20_002, []],
])("a gateway's port %s %i is reached by %j alone", (protocol, port, who) => {
  expect(reaching(gatewayPolicy(vm, settings), "ingress", protocol, port)).toEqual(who);
});

test("a gateway that publishes nothing is reached by nobody but runners and readers", () => {
  const policy = gatewayPolicy(machineOf(), settings);
  expect(reaching(policy, "ingress", "TCP", 20_000)).toEqual([]);
  expect(reaching(policy, "ingress", "TCP", 7200)).toEqual(["the VM's runner"]);
});

test.each([
  ["TCP", 7100, ["the VM's runner"]],
  ["UDP", 7100, ["the VM's runner"]],
  ["TCP", 7200, ["the VM's gateway"]],
  ["TCP", 6443, names],
  ["TCP", 443, names],
  ["UDP", 53, []],
  ["TCP", 80, []],
])("a runner reaches on %s %i nobody but %j", (protocol, port, who) => {
  expect(reaching(runnerPolicy(vm, settings), "egress", protocol, port)).toEqual(who);
});

test("where the API server has another port, runners reach that one", () => {
  const policy = runnerPolicy(vm, { ...settings, apiServerPorts: [16443] });
  expect(reaching(policy, "egress", "TCP", 16443)).toEqual(names);
  expect(reaching(policy, "egress", "TCP", 6443)).toEqual([]);
  expect(() => runnerPolicy(vm, { ...settings, apiServerPorts: [] })).toThrow("anywhere");
});

test("each policy is about the pods of its component and of this VM", () => {
  for (const [policy, component, policyTypes] of [
    [runnerPolicy(vm, settings), "runner", ["Ingress", "Egress"]],
    [gatewayPolicy(vm, settings), "gateway", ["Ingress"]],
  ] as const) {
    const podSelector = { matchLabels: pod(component).labels };
    expect(policy["spec"]).toMatchObject({ podSelector, policyTypes });
  }
});

/** As Kubernetes reads a policy: who of all is let through. */
function reaching(
  policy: Readonly<Record<string, unknown>>,
  direction: "ingress" | "egress",
  protocol: string,
  port: number,
): string[] {
  const spec = policy["spec"] as Spec;
  // An empty list of ports, or of peers, is as good as none: it lets through all.
  const rules = (spec[direction] ?? []).filter(
    ({ ports = [] }) =>
      ports.length === 0 || ports.some((p) => p.protocol === protocol && p.port === port),
  );
  const peersOf = (rule: Rule) => (direction === "ingress" ? rule.from : rule.to);
  const passes = (who: Somebody) =>
    rules.some((rule) => {
      const peers = peersOf(rule) ?? [];
      return peers.length === 0 || peers.some((peer) => isPeer(peer, who));
    });
  return Object.entries(people).flatMap(([name, who]) => (passes(who) ? [name] : []));
}

function isPeer({ podSelector, namespaceSelector }: Peer, who: Somebody): boolean {
  if (who.namespace === undefined) return false;
  const inNamespace =
    namespaceSelector === undefined
      ? who.sameNamespace === true
      : has(who.namespace, namespaceSelector);
  return inNamespace && (podSelector === undefined || has(who.labels, podSelector));
}

function has(labels: Labels, { matchLabels = {} }: Selector): boolean {
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}
