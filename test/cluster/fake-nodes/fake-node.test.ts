import { expect, test } from "@jest/globals";
import { fakeNodesMax } from "../layout.ts";
import { fakeNode, fakeNodeName, powerLabel } from "./fake-node.ts";

test.each([
  [1, "fake-node-0001", "198.18.0.1", "100.64.1.0/24", "fake-zone-1"],
  [2, "fake-node-0002", "198.18.0.2", "100.64.2.0/24", "fake-zone-2"],
  [4, "fake-node-0004", "198.18.0.4", "100.64.4.0/24", "fake-zone-1"],
  [256, "fake-node-0256", "198.18.1.0", "100.65.0.0/24", "fake-zone-1"],
  [1000, "fake-node-1000", "198.18.3.232", "100.67.232.0/24", "fake-zone-1"],
])(
  "node %d has the name %s, the address %s, its pods %s, its zone %s",
  (index, name, address, podCIDR, zone) => {
    expect(fakeNode(index)).toMatchObject({
      metadata: { name, labels: { [powerLabel]: "on", "topology.kubernetes.io/zone": zone } },
      spec: { podCIDR, podCIDRs: [podCIDR] },
      status: {
        capacity: { cpu: "32", memory: "256Gi", pods: "110" },
        addresses: [
          { type: "InternalIP", address },
          { type: "Hostname", address: name },
        ],
      },
    });
  },
);

test("no two of as many nodes as there may be share a name, an address or a network", () => {
  const numbers = Array.from({ length: fakeNodesMax }, (_, i) => i + 1);
  const nodes = numbers.map((number) => JSON.stringify(fakeNode(number)));
  for (const pattern of [/"198\.18\.\d+\.\d+"/, /"podCIDR":"[^"]*"/, /"name":"[^"]*"/]) {
    expect(new Set(nodes.map((text) => pattern.exec(text)?.[0])).size).toBe(fakeNodesMax);
  }
  expect(new Set(numbers.map(fakeNodeName)).size).toBe(fakeNodesMax);
});
