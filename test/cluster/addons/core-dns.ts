/**
 * The cluster's DNS: two CoreDNS pods on different nodes behind the Service whose address every pod
 * has as its name server. Answers are kept for at most 5 s, so a test sees a change soon.
 */
import type { Manifest } from "./kubernetes-objects.ts";

export interface CoreDnsParameters {
  /** Of the Service: kubelet's `clusterDNS`. */
  readonly clusterDnsAddress: string;
  readonly clusterDomain: string;
  readonly image: string;
  /** At most as many as there are nodes: each has its own. */
  readonly replicas: number;
  /** How long a replica stays on a node that was lost. */
  readonly tolerationSeconds: number;
}

const name = "coredns";
const namespace = "kube-system";
const labels = { "k8s-app": "kube-dns" };

export function coreDns(parameters: CoreDnsParameters): Manifest[] {
  const { clusterDnsAddress, clusterDomain } = parameters;
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    ...permissions(),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace },
      data: { Corefile: corefile(clusterDomain) },
    },
    deployment(parameters),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace, labels },
      spec: {
        clusterIP: clusterDnsAddress,
        selector: labels,
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 53, protocol: "TCP" },
        ],
      },
    },
  ];
}

function permissions(): Manifest[] {
  const role = "system:coredns";
  const apiGroup = "rbac.authorization.k8s.io";
  const verbs = ["list", "watch"];
  return [
    {
      apiVersion: `${apiGroup}/v1`,
      kind: "ClusterRole",
      metadata: { name: role },
      rules: [
        { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
      ],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: role },
      roleRef: { apiGroup, kind: "ClusterRole", name: role },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  ];
}

/** Names of the cluster only: a machine without a network has nobody to forward others to. */
function corefile(clusterDomain: string): string {
  return `.:53 {
  errors
  health
  ready
  kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
  cache 5
  reload
}
`;
}

function deployment({ image, replicas, tolerationSeconds }: CoreDnsParameters): Manifest {
  const lost = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];
  const elsewhere = {
    labelSelector: { matchLabels: labels },
    topologyKey: "kubernetes.io/hostname",
  };
  const spec = {
    serviceAccountName: name,
    // The cluster's own DNS cannot be asked before it runs.
    dnsPolicy: "Default",
    priorityClassName: "system-cluster-critical",
    terminationGracePeriodSeconds: 5,
    tolerations: lost.map((key) => {
      return { key, operator: "Exists", effect: "NoExecute", tolerationSeconds };
    }),
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [elsewhere] } },
    containers: [container(image)],
    volumes: [{ name: "configuration", configMap: { name } }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      // There may be no further node for a surplus replica.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
    },
  };
}

function container(image: string): Manifest {
  return {
    name,
    image,
    imagePullPolicy: "Never",
    args: ["-conf", "/etc/coredns/Corefile"],
    ports: [
      { name: "dns", containerPort: 53, protocol: "UDP" },
      { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
    ],
    volumeMounts: [{ name: "configuration", mountPath: "/etc/coredns", readOnly: true }],
    resources: { requests: { cpu: "10m", memory: "32Mi" } },
    readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
    livenessProbe: { httpGet: { path: "/health", port: 8080 }, failureThreshold: 5 },
  };
}
