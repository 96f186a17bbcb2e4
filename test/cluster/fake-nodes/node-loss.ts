/** Loses a single fake node, as if its computer were lost, and brings it back. */
import { ClusterError } from "../cluster-error.ts";
import type { Kubectl } from "../kubectl.ts";
import { powerLabel } from "./fake-node.ts";

/**
 * Nobody renews its lease, starts its pods or ends them any more: after the grace period the node is
 * not Ready. @throws ClusterError when there is no such fake node.
 */
export async function loseFakeNode(kubectl: Kubectl, name: string): Promise<void> {
  await setPower(kubectl, name, "off");
}

/** As if it had been cut off: its pods are still there, but for those that were deleted meanwhile. */
export async function restoreFakeNode(kubectl: Kubectl, name: string): Promise<void> {
  await setPower(kubectl, name, "on");
}

async function setPower(kubectl: Kubectl, name: string, power: "on" | "off"): Promise<void> {
  const found = await kubectl.run(["get", "nodes", "-l", powerLabel, "-o", "name"]);
  if (!found.split("\n").includes(`node/${name}`)) {
    throw new ClusterError(`there is no fake node "${name}"; kubectl get nodes lists them`);
  }
  await kubectl.run(["label", "--overwrite", "node", name, `${powerLabel}=${power}`]);
}
