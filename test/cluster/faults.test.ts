/** What nft is told to drop. */
import { expect, test } from "@jest/globals";
import { fromPeers, peerNetworks, ruleset, shareOf } from "./faults.ts";
import { layoutOf } from "./layout.ts";

const layout = layoutOf(
  { name: "f", number: 105, level: "nodes", nodeCount: 2, profile: "fast" },
  "/c",
);

test("a fault replaces the one before, in one transaction, on both ways over the cable", () => {
  expect(ruleset(fromPeers(["10.105.0.12", "10.105.2.0/24"]))).toBe(`\
table netdev lockstep_faults {}
delete table netdev lockstep_faults
table netdev lockstep_faults {
  chain arriving {
    type filter hook ingress device "eth0" priority 0;
    ip saddr { 10.105.0.12, 10.105.2.0/24 } drop
  }
  chain leaving {
    type filter hook egress device "eth0" priority 0;
    ip daddr { 10.105.0.12, 10.105.2.0/24 } drop
  }
}
`);
});

test("no fault is no table, whether there was one or not", () => {
  expect(ruleset(null)).toBe(
    "table netdev lockstep_faults {}\ndelete table netdev lockstep_faults\n",
  );
});

test.each([
  [50, 500],
  [0.1, 1],
  [33.3, 333],
  [99.9, 999],
])("%d %% are %i packets of a thousand", (percent, packets) => {
  const match = `numgen random mod 1000 < ${packets}`;
  expect(shareOf(percent)).toEqual({ arriving: match, leaving: match });
});

test.each<[string, string[]]>([
  ["node2", ["10.105.0.12", "10.105.2.0/24"]],
  ["api", ["10.105.0.1"]],
])("the peer %s is %j", (peer, networks) => {
  expect(peerNetworks(layout, peer)).toEqual(networks);
});

test.each(["node3", "", "API", "10.105.0.12"])("a peer %j is refused", (peer) => {
  expect(() => peerNetworks(layout, peer)).toThrow(
    `there is no "${peer}" to cut a node off from; give one of api, node1, node2`,
  );
});
