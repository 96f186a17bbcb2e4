/**
 * What runs in a cluster with nodes besides Kubernetes itself: CoreDNS in pods, and beside the control
 * plane one process that enforces NetworkPolicies and makes volumes.
 */
import { Resolver } from "node:dns/promises";
import process from "node:process";
import { until } from "../../bench/waiting.ts";
import { controllersArguments } from "./addons/controllers-arguments.ts";
import { coreDns } from "./addons/core-dns.ts";
import { storageClasses } from "./addons/volumes.ts";
import { requireRunning, startDaemon } from "./control-plane.ts";
import { imageReferences } from "./images/prepare-images.ts";
import { Kubectl } from "./kubectl.ts";
import { clusterDnsAddress, clusterDomain, type Layout } from "./layout.ts";
import type { ClusterRecord } from "./record.ts";
import { timingsOf } from "./timings.ts";

export const controllersName = "lockstep-controllers";
const dnsTimeoutMs = 120_000;

/** Resolves when names are resolved. @throws ClusterError */
export async function installAddOns(
  record: ClusterRecord,
  layout: Layout,
  step: (what: string) => void,
): Promise<void> {
  if (layout.nodes.length === 0) return;
  await startControllers(record, layout);
  const kubectl = new Kubectl(record, layout);
  const dns = coreDns({
    ...{ clusterDnsAddress, clusterDomain, image: imageReferences.coredns },
    replicas: Math.min(2, layout.nodes.length),
    tolerationSeconds: timingsOf[layout.spec.profile].tolerationSeconds,
  });
  await kubectl.apply([...storageClasses(), ...dns]);
  await dnsAnswers(kubectl);
  await requireRunning(record, layout, controllersName);
  step("DNS answers");
}

/** It asks for nothing but the API, so that it may start before that is there. */
export async function startControllers(record: ClusterRecord, layout: Layout): Promise<void> {
  const args = ["--no-warnings", ...controllersArguments(record.id, layout)];
  await startDaemon(record, layout, controllersName, args, process.execPath);
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
  await until("the cluster's DNS", ask, { everyMs: 100, timeoutMs: dnsTimeoutMs });
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
