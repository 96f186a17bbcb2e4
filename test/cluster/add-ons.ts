/**
 * What runs in a cluster with nodes besides Kubernetes itself: CoreDNS in pods, and beside the control
 * plane what enforces NetworkPolicies and what makes volumes.
 */

import { Resolver } from "node:dns/promises";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "../../bench/waiting.ts";
import { coreDns } from "./addons/core-dns.ts";
import {
  provisionerArguments,
  provisionerConfig,
  provisionerConfigFile,
  volumeManifests,
} from "./addons/local-path-volumes.ts";
import { ClusterError } from "./cluster-error.ts";
import { requireRunning, startDaemon } from "./control-plane.ts";
import { imageReferences } from "./images/prepare-images.ts";
import { Kubectl } from "./kubectl.ts";
import { clusterDnsAddress, clusterDomain, type Layout } from "./layout.ts";
import type { ClusterRecord } from "./record.ts";
import { timingsOf } from "./timings.ts";

/** Its roles in the cluster: each is a process beside the control plane. */
export const addOnPrograms = ["network-policy-engine", "local-path-provisioner"] as const;

const engineScript = fileURLToPath(new URL("./addons/network-policy-main.ts", import.meta.url));
const dnsTimeoutMs = 120_000;
const podWordsMax = 1_500;

/** Resolves when names are resolved. @throws ClusterError */
export async function installAddOns(
  record: ClusterRecord,
  layout: Layout,
  step: (what: string) => void,
): Promise<void> {
  if (layout.nodes.length === 0) return;
  const kubectl = new Kubectl(record, layout);
  await kubectl.apply([...volumeManifests(imageReferences.client), ...dnsManifests(layout)]);
  await startPolicyEngine(record, layout);
  await writeFile(provisionerConfigFile(layout), provisionerConfig());
  await startDaemon(record, layout, "local-path-provisioner", provisionerArguments(layout));
  await dnsAnswers(kubectl);
  for (const program of addOnPrograms) await requireRunning(record, layout, program);
  step("DNS answers");
}

async function startPolicyEngine(record: ClusterRecord, layout: Layout): Promise<void> {
  const name = "network-policy-engine";
  const files = ["ca.crt", `${name}.crt`, `${name}.key`].map((file) => path.join(layout.pki, file));
  const args = ["--no-warnings", engineScript, record.id, layout.apiUrl, ...files];
  await startDaemon(record, layout, name, args, process.execPath);
}

function dnsManifests(layout: Layout) {
  return coreDns({
    ...{ clusterDnsAddress, clusterDomain, image: imageReferences.coredns },
    replicas: Math.min(2, layout.nodes.length),
    tolerationSeconds: timingsOf[layout.spec.profile].tolerationSeconds,
  });
}

/** Asked of each CoreDNS pod, whose addresses the machine can reach. */
async function dnsAnswers(kubectl: Kubectl): Promise<void> {
  const pods = ["pods", "-n", "kube-system", "-l", "k8s-app=kube-dns"];
  const ask = async () => {
    const addresses = (await kubectl.value(".items[*].status.podIP", ...pods)).split(" ");
    if (addresses.includes("")) return null;
    const answers = await Promise.all(addresses.map(resolves));
    return answers.every((answer) => answer) ? true : null;
  };
  try {
    await until("the cluster's DNS", ask, { everyMs: 100, timeoutMs: dnsTimeoutMs });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const { stdout } = await kubectl.attempt(["describe", ...pods]);
    throw new ClusterError(`${words}; its pods say:\n${stdout.slice(-podWordsMax)}`);
  }
}

async function resolves(server: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([server]);
  try {
    return (await resolver.resolve4(`kubernetes.default.svc.${clusterDomain}`)).length > 0;
  } catch {
    return false;
  }
}
