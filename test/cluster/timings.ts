/**
 * How fast a cluster notices that a node is lost. `default`: what Kubernetes does when nobody sets
 * anything (kubelet and kube-controller-manager v1.36). `fast`: for tests, which would wait minutes
 * otherwise; short grace periods cost false alarms on a computer that is overloaded for that long.
 */
export const profiles = ["default", "fast"] as const;

export type Profile = (typeof profiles)[number];

export interface Timings {
  /** kubelet: how often it computes its status, and sends it if something changed. */
  readonly nodeStatusUpdateFrequency: string;
  /** kubelet: how often it sends its status if nothing changed. Unset, it would be the one above. */
  readonly nodeStatusReportFrequency: string;
  /** kubelet: how long its Lease is valid; it is renewed after a quarter of that. */
  readonly nodeLeaseDurationSeconds: number;
  readonly nodeMonitorPeriod: string;
  /** kube-controller-manager: a node that was silent for so long is not Ready. */
  readonly nodeMonitorGracePeriod: string;
  /** How long a pod that says nothing else stays on a node that is not ready or unreachable. */
  readonly tolerationSeconds: number;
  /** Nodes a second whose pods are evicted; 0.1 is one every 10 s. */
  readonly nodeEvictionRate: number;
  /** The same while most nodes of a zone are not Ready, in clusters above `largeClusterSize`. */
  readonly secondaryNodeEvictionRate: number;
  readonly largeClusterSize: number;
}

export const timingsOf: Readonly<Record<Profile, Timings>> = {
  default: {
    nodeStatusUpdateFrequency: "10s",
    nodeStatusReportFrequency: "5m",
    nodeLeaseDurationSeconds: 40,
    nodeMonitorPeriod: "5s",
    nodeMonitorGracePeriod: "50s",
    tolerationSeconds: 300,
    nodeEvictionRate: 0.1,
    secondaryNodeEvictionRate: 0.01,
    largeClusterSize: 50,
  },
  fast: {
    nodeStatusUpdateFrequency: "2s",
    nodeStatusReportFrequency: "2s",
    nodeLeaseDurationSeconds: 4,
    nodeMonitorPeriod: "1s",
    nodeMonitorGracePeriod: "8s",
    tolerationSeconds: 5,
    nodeEvictionRate: 10,
    // A small cluster evicts nothing while more than 55 % of it is lost, unless it counts as large.
    secondaryNodeEvictionRate: 10,
    largeClusterSize: 0,
  },
};
