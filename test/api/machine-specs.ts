/** Specs of machines: what the API server takes, and what it refuses with which words. */

export const kernel = {
  volume: { configMap: { name: "linux" } },
  path: "bzImage",
  initrd: "initrd",
};
export const http = { name: "http", port: 80, guestPort: 8080 };
const ports = (...list: object[]) => ({ network: { ports: list } });

const kindsOfVolume = ["configMap", "ephemeral", "image", "persistentVolumeClaim"];

export const accepted: readonly [string, object][] = [
  ["the least memory", { memory: "16Mi" }],
  ["the most memory", { memory: "1Gi" }],
  ...kindsOfVolume.map((kind): [string, object] => [
    `a kernel from a volume of kind ${kind}`,
    booting({ volume: { [kind]: {} } }),
  ]),
  ["a guest without a network", { network: { enabled: false } }],
  ["a probe without published ports", { network: { readiness: { tcpPort: 22 } } }],
  [
    "one port number twice, for TCP and UDP",
    ports(
      { name: "dns", port: 53, guestPort: 53 },
      { name: "dns-udp", port: 53, guestPort: 53, protocol: "UDP" },
    ),
  ],
  [
    "ports of nodes where the Service has them",
    { network: { serviceType: "NodePort", ports: [{ ...http, nodePort: 30080 }] } },
  ],
  ["many ports", ports(...numbered(32))],
  [
    "slow heartbeats with a long time-out",
    { faultTolerance: { heartbeatMilliseconds: 1000, timeoutMilliseconds: 3001 } },
  ],
  [
    "placement in full",
    {
      placement: {
        topologyKey: "topology.kubernetes.io/zone",
        nodeSelector: { disk: "fast" },
        tolerations: [
          { operator: "Exists" },
          { key: "vm", value: "only", effect: "NoExecute", tolerationSeconds: 60 },
        ],
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { any: 1 } },
        priorityClassName: "important",
        resources: { requests: { cpu: 1, memory: "600Mi" }, limits: { cpu: "1500m" } },
      },
    },
  ],
];

export const refused: readonly [object, string][] = [
  [
    { powerState: "Paused" },
    'spec.powerState: Unsupported value: "Paused": supported values: "Running", "Stopped"',
  ],
  [{ memory: "8Mi" }, 'spec.memory: Invalid value: "8Mi": memory must be from 16Mi to 1Gi'],
  [{ memory: "1025Mi" }, 'spec.memory: Invalid value: "1025Mi": memory must be from 16Mi to 1Gi'],
  [{ memory: "17Mi" }, "memory must be an even number of MiB: add or take away 1Mi"],
  [
    { memory: "128" },
    'spec.memory: Invalid value: "128": memory must be a whole number of Mi or Gi, such as 128Mi',
  ],
  [
    { memory: "much" },
    'spec.memory: Invalid value: "much": memory must be a whole number of Mi or Gi, such as 128Mi',
  ],
  [{ memory: 128 }, 'spec.memory in body must be of type string: "integer"'],
  [{ boot: {} }, "spec.boot: Invalid value: boot takes either guest or kernel: give one of them"],
  [
    { boot: { guest: "tiny", kernel } },
    "spec.boot: Invalid value: boot takes either guest or kernel: give one of them and take the other away",
  ],
  [
    { boot: { guest: "mine" } },
    'spec.boot.guest: Unsupported value: "mine": supported values: "default", "tiny"',
  ],
  [
    booting({ path: "/bzImage" }),
    'spec.boot.kernel.path: Invalid value: "/bzImage": path must name the kernel\'s file inside the volume: without a leading / and without ..',
  ],
  [
    booting({ initrd: "../initrd" }),
    'spec.boot.kernel.initrd: Invalid value: "../initrd": initrd must name a file inside the volume',
  ],
  [booting({ initrd: undefined }), "spec.boot.kernel.initrd: Required value"],
  [
    booting({ volume: {} }),
    "spec.boot.kernel.volume: Invalid value: volume takes exactly one of configMap, ephemeral, image and persistentVolumeClaim",
  ],
  [booting({ volume: { configMap: {}, image: {} } }), "volume takes exactly one of configMap"],
  [
    { network: { enabled: false, ports: [http] } },
    "spec.network: Invalid value: ports can only be published with network.enabled: true; take them away",
  ],
  [
    { network: { enabled: false, readiness: { tcpPort: 22 } } },
    "spec.network: Invalid value: readiness can only be found out with network.enabled: true; take it away",
  ],
  [
    { network: { readiness: { tcpPort: 0 } } },
    "spec.network.readiness.tcpPort in body should be greater than or equal to 1",
  ],
  [
    { network: { serviceType: "ExternalName" } },
    'spec.network.serviceType: Unsupported value: "ExternalName": supported values: "ClusterIP", "NodePort", "LoadBalancer"',
  ],
  [
    ports(http, { ...http, port: 81, guestPort: 81 }),
    'spec.network.ports[1]: Duplicate value: {"name":"http"}',
  ],
  [
    ports(http, { ...http, name: "b", guestPort: 81 }),
    "spec.network.ports: Invalid value: two of the ports have the same port and protocol; give each a port of its own",
  ],
  [
    ports(http, { ...http, name: "b", port: 81 }),
    "spec.network.ports: Invalid value: two of the ports have the same guestPort and protocol; publish it once",
  ],
  [
    ports({ ...http, nodePort: 30080 }),
    "spec.network: Invalid value: a nodePort needs serviceType: NodePort or LoadBalancer; set it, or take the nodePort away",
  ],
  [
    {
      network: {
        serviceType: "NodePort",
        ports: numbered(2).map((port) => ({ ...port, nodePort: 30080 })),
      },
    },
    "spec.network.ports: Invalid value: two of the ports have the same nodePort and protocol; give each a nodePort of its own",
  ],
  [
    ports({ ...http, name: "HTTP" }),
    'spec.network.ports[0].name: Invalid value: "HTTP": a port\'s name must be lower-case letters, digits and "-"',
  ],
  [
    ports({ ...http, guestPort: 70000 }),
    "spec.network.ports[0].guestPort in body should be less than or equal to 65535",
  ],
  [
    ports({ ...http, protocol: "SCTP" }),
    'spec.network.ports[0].protocol: Unsupported value: "SCTP": supported values: "TCP", "UDP"',
  ],
  [ports({ name: "http", port: 80 }), "spec.network.ports[0].guestPort: Required value"],
  [ports(...numbered(33)), "spec.network.ports: Too many: 33: must have at most 32 items"],
  [
    { faultTolerance: { heartbeatMilliseconds: 200, timeoutMilliseconds: 600 } },
    "spec.faultTolerance: Invalid value: timeoutMilliseconds must be more than 3 times heartbeatMilliseconds, or two lost heartbeats look like a failure",
  ],
  [
    { faultTolerance: { heartbeatMilliseconds: 5 } },
    "spec.faultTolerance.heartbeatMilliseconds in body should be greater than or equal to 10",
  ],
  [
    { faultTolerance: { lagTargetMilliseconds: 20.5 } },
    "spec.faultTolerance.lagTargetMilliseconds in body must be of type integer",
  ],
  [
    { faultTolerance: { onPairLost: "Panic" } },
    'spec.faultTolerance.onPairLost: Unsupported value: "Panic": supported values: "Restart", "Hold"',
  ],
  [
    { placement: { topologyKey: "a zone" } },
    'spec.placement.topologyKey: Invalid value: "a zone": topologyKey must be the key of a label of nodes, such as topology.kubernetes.io/zone',
  ],
  [
    { placement: { priorityClassName: "" } },
    'spec.placement.priorityClassName: Invalid value: "": priorityClassName must be the name of a PriorityClass; take it away to have none',
  ],
  [
    { placement: { resources: { limits: { memory: "much" } } } },
    'spec.placement.resources.limits[memory]: Invalid value: "much": a quantity is a number with or without a suffix, such as 2, 500m or 600Mi',
  ],
  [
    { placement: { tolerations: [{}] } },
    "spec.placement.tolerations[0]: Invalid value: a toleration without key tolerates all taints and needs operator: Exists; name a key, or set the operator",
  ],
  [
    { placement: { tolerations: [{ operator: "Exists", value: "x" }] } },
    "a toleration's value is compared only with operator: Equal; take the value away, or set the operator",
  ],
  [
    { placement: { tolerations: [{ key: "vm", tolerationSeconds: 5 }] } },
    "tolerationSeconds needs effect: NoExecute; take it away, or set the effect",
  ],
];

export function booting(changes: object) {
  return { boot: { kernel: { ...kernel, ...changes } } };
}

function numbered(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `port${i}`,
    port: 1 + i,
    guestPort: 1 + i,
  }));
}
