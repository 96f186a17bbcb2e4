/**
 * The files of a node's /etc: functions of the layout. JSON is YAML, so what Kubernetes calls YAML
 * is written as JSON. Each unusual setting says why.
 */
import { clusterDnsAddress, clusterDomain, type Layout, type NodeLayout } from "./layout.ts";
import { timingsOf } from "./timings.ts";

/** Paths below the node's /etc, and texts. */
export function nodeFiles(layout: Layout, node: NodeLayout): Map<string, string> {
  return new Map([
    ["hostname", `${node.name}\n`],
    ["hosts", hosts(layout)],
    ["resolv.conf", `nameserver ${layout.machineAddress}\n`],
    ["kubernetes/kubelet.yaml", json(kubelet(layout))],
    ["kubernetes/kube-proxy.yaml", json(kubeProxy(layout, node))],
    ["lockstep/cni/10-pods.conflist", json(podNetwork(node))],
    ["containerd/config.toml", containerd()],
  ]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function hosts(layout: Layout): string {
  const lines = layout.nodes.map(({ address, name }) => `${address} ${name}`);
  return ["127.0.0.1 localhost", ...lines, ""].join("\n");
}

/** Pods are routed, not bridged: a bridge would need br_netfilter for Services within a node. */
function podNetwork(node: NodeLayout): unknown {
  const ipam = {
    type: "host-local",
    dataDir: "/run/cni-ipam",
    ranges: [[{ subnet: node.podNetwork }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      { type: "ptp", mtu: 1500, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubelet(layout: Layout): unknown {
  const timings = timingsOf[layout.spec.profile];
  const pki = "/etc/kubernetes/pki";
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: "0.0.0.0",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${pki}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: `${pki}/serving.crt`,
    tlsPrivateKeyFile: `${pki}/serving.key`,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: "cgroupfs",
    // Machines with version 1 are what some CI systems still have.
    failCgroupV1: false,
    enforceNodeAllocatable: ["pods"],
    failSwapOn: false,
    // Below 0 needs CAP_SYS_RESOURCE, which root of a container or sandbox may lack.
    oomScoreAdj: 0,
    clusterDomain,
    clusterDNS: [clusterDnsAddress],
    resolvConf: "/etc/resolv.conf",
    nodeStatusUpdateFrequency: timings.nodeStatusUpdateFrequency,
    nodeStatusReportFrequency: timings.nodeStatusReportFrequency,
    nodeLeaseDurationSeconds: timings.nodeLeaseDurationSeconds,
    // The images come from files: one that is collected cannot be pulled again.
    imageGCHighThresholdPercent: 100,
    // The nodes share the machine's disk: how full it is, is no reason to evict a pod.
    evictionHard: {
      "memory.available": "50Mi",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    syncFrequency: "10s",
    logging: { verbosity: 1 },
  };
}

function kubeProxy(layout: Layout, node: NodeLayout): unknown {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clientConnection: { kubeconfig: "/etc/kubernetes/kube-proxy.kubeconfig" },
    clusterCIDR: layout.network,
    hostnameOverride: node.name,
    healthzBindAddress: "0.0.0.0:10256",
    metricsBindAddress: "0.0.0.0:10249",
    oomScoreAdj: 0,
    // These are read-only in a network namespace.
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: "0s",
      tcpCloseWaitTimeout: "0s",
    },
  };
}

/** Version 2 is what containerd 1.6 (Debian 12) and 2.x both read. */
function containerd(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri"
]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # Below 0 needs CAP_SYS_RESOURCE, which root of a container or sandbox may lack.
  restrict_oom_score_adj = true
  enable_selinux = false
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/lockstep/cni"
`;
}
