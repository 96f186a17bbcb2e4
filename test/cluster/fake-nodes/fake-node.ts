/**
 * The Node objects of fake nodes. Pure. Their addresses, and those of their pods, are from ranges that
 * nobody uses on the Internet (RFC 2544, RFC 6598): nothing answers there.
 */

/** "on": kwok plays this node; anything else: nobody does, as if its computer were lost. */
export const powerLabel = "lockstep.test/power";

const zonesCount = 3;
const resources = { cpu: "32", memory: "256Gi", pods: "110", "ephemeral-storage": "1Ti" };

/** From 1. */
export function fakeNodeName(index: number): string {
  return `fake-node-${String(index).padStart(4, "0")}`;
}

/** Zones alternate, so that any number of nodes is spread over them. */
export function fakeNode(index: number): object {
  const name = fakeNodeName(index);
  const [high, low] = [index >> 8, index & 255];
  const podNetwork = `100.${64 + high}.${low}.0/24`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        [powerLabel]: "on",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "fake-region",
        "topology.kubernetes.io/zone": `fake-zone-${((index - 1) % zonesCount) + 1}`,
      },
    },
    spec: { podCIDR: podNetwork, podCIDRs: [podNetwork] },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: "InternalIP", address: `198.18.${high}.${low}` },
        { type: "Hostname", address: name },
      ],
      nodeInfo: {
        ...{ operatingSystem: "linux", architecture: "amd64", kubeletVersion: "fake" },
        ...{ kernelVersion: "fake", osImage: "fake", containerRuntimeVersion: "fake://" },
        ...{ bootID: "", machineID: name, systemUUID: name, kubeProxyVersion: "" },
      },
    },
  };
}
