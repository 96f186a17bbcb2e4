/**
 * The cluster's volumes, made by Rancher's local-path-provisioner: directories. Of class "standard"
 * (the default): on the disk of the node that the pod was scheduled to, and lost to all others with it.
 * Of class "shared": in the one directory that every node sees, which stands for a network file system.
 *
 * The provisioner runs beside the control plane. A pod of its own makes and removes each directory, on
 * the node that the first pod of the claim was scheduled to.
 */
import path from "node:path";
import { kubeconfigOf } from "../control-plane-arguments.ts";
import { type Layout, sharedDirectoryInNode } from "../layout.ts";
import type { Manifest } from "./kubernetes-objects.ts";

const provisioner = "rancher.io/local-path";
const namespace = "local-path-storage";
const configMap = "local-path-config";
const serviceAccount = "local-path-helper";
/** On a node's own disk. */
const ownDirectory = "/var/lib/lockstep-volumes";
/** A helper pod that has not done its work by then is on a node that was lost: another attempt follows. */
const helperTimeoutSeconds = 60;

/** For `kubectl apply`, once. */
export function volumeManifests(helperImage: string): Manifest[] {
  const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: serviceAccount, namespace } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: configMap, namespace },
      data: {
        setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        "helperPod.yaml": JSON.stringify(helperPod(helperImage)),
      },
    },
    // Only volumes of the type "local" get the group that a pod's fsGroup asks for.
    storageClass("standard", { ...isDefault, defaultVolumeType: "local" }),
    storageClass("shared", { defaultVolumeType: "hostPath" }),
  ];
}

function storageClass(name: string, annotations: Readonly<Record<string, string>>): Manifest {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name, annotations },
    provisioner,
    // Also of shared ones: the helper pod runs where the claim's pod will, and so on a node that lives.
    volumeBindingMode: "WaitForFirstConsumer",
    reclaimPolicy: "Delete",
  };
}

function helperPod(image: string): Manifest {
  const container = { name: "helper-pod", image, imagePullPolicy: "Never" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "helper-pod" },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  };
}

/** Where it looks for what this function's result is written to. */
export function provisionerConfigFile(layout: Layout): string {
  return path.join(layout.directory, "local-path.json");
}

export function provisionerConfig(): string {
  const everyNode = { node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: [ownDirectory] };
  return JSON.stringify({
    cmdTimeoutSeconds: helperTimeoutSeconds,
    storageClassConfigs: {
      standard: { nodePathMap: [everyNode] },
      shared: { sharedFileSystemPath: sharedDirectoryInNode },
    },
  });
}

export function provisionerArguments(layout: Layout): string[] {
  return [
    "start",
    `--config=${provisionerConfigFile(layout)}`,
    `--kubeconfig=${kubeconfigOf(layout, "local-path-provisioner")}`,
    `--provisioner-name=${provisioner}`,
    `--namespace=${namespace}`,
    `--configmap-name=${configMap}`,
    `--service-account-name=${serviceAccount}`,
  ];
}
