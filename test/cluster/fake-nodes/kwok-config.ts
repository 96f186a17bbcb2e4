/** kwok's command line and its file of configuration: functions of the layout alone. */
import path from "node:path";
import { kubeconfigOf } from "../control-plane-arguments.ts";
import type { ClusterSpec, Layout } from "../layout.ts";
import { timingsOf } from "../timings.ts";
import { powerLabel } from "./fake-node.ts";
import { type Stage, stages } from "./stages.ts";

/** Leases that are renewed a second; more, and the renewals alone keep this computer busy. */
const leaseRenewalsPerSecondMax = 100;
const renewalsPerLease = 4;
const parallelism = 16;

export function kwokConfigFile({ directory }: Layout): string {
  return path.join(directory, "kwok.yaml");
}

/** Without an address or a port for it, kwok opens no server: nothing listens for fake nodes. */
export function kwokArguments(layout: Layout): string[] {
  return [
    `--kubeconfig=${kubeconfigOf(layout, "kwok")}`,
    `--config=${kwokConfigFile(layout)}`,
    // A node without the label is one that kwok has forgotten: how a single node is lost.
    `--manage-nodes-with-label-selector=${powerLabel}=on`,
    `--node-lease-duration-seconds=${leaseDurationSeconds(layout.spec)}`,
    "--v=WARN",
  ];
}

/**
 * As long as kubelet's, or longer where so many nodes would renew theirs too often; but never so long
 * that a node which misses one renewal is taken for lost.
 */
export function leaseDurationSeconds({ profile, nodeCount }: ClusterSpec): number {
  const { nodeLeaseDurationSeconds, nodeMonitorGracePeriod } = timingsOf[profile];
  const bearable = Math.ceil((nodeCount * renewalsPerLease) / leaseRenewalsPerSecondMax);
  const longest = (Number.parseFloat(nodeMonitorGracePeriod) * renewalsPerLease) / 2;
  return Math.min(Math.max(nodeLeaseDurationSeconds, bearable), longest);
}

/** Documents of YAML, each of which is JSON. */
export function kwokConfig(): string {
  const options = {
    apiVersion: "config.kwok.x-k8s.io/v1alpha1",
    kind: "KwokConfiguration",
    options: {
      podPlayStageParallelism: parallelism,
      nodePlayStageParallelism: parallelism,
      nodeLeaseParallelism: parallelism,
      podsOnNodeSyncParallelism: parallelism,
    },
  };
  const documents = [options, ...stages.map((stage) => stageObject(stage))];
  return documents.map((document) => `${JSON.stringify(document, null, 2)}\n`).join("---\n");
}

function stageObject({ name, kind, when, status }: Stage): object {
  const patch = { subresource: "status", root: "status", type: "strategic", template: status };
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: "v1", kind },
      selector: { matchExpressions: when },
      steps: [status === null ? { delete: true } : { patch }],
    },
  };
}
