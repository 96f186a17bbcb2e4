/**
 * The cluster's volumes are directories. Of class "standard" (the default): on the disk of the node
 * that the pod was scheduled to, and lost to all others with it. Of class "shared": in the one
 * directory that every node sees, which stands for a network file system.
 *
 * Pure: which volumes have to be made and deleted, and what Kubernetes is told about them. Volumes
 * are `local` ones because kubelet gives only those, and not hostPath, the group of `fsGroup`.
 */
import type { KubernetesObject, Manifest } from "./kubernetes-objects.ts";

export const nodeProvisioner = "lockstep.test/node-directory";
export const sharedProvisioner = "lockstep.test/shared-directory";

const selectedNode = "volume.kubernetes.io/selected-node";
const provisionedBy = "pv.kubernetes.io/provisioned-by";

export interface StorageClass extends KubernetesObject {
  readonly provisioner: string;
  readonly reclaimPolicy?: string;
}

export interface VolumeClaim extends KubernetesObject {
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly volumeMode?: string;
    readonly accessModes?: readonly string[];
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
  readonly status?: { readonly phase?: string };
}

export interface Volume extends KubernetesObject {
  readonly spec: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly nodeAffinity?: unknown;
  };
  readonly status?: { readonly phase?: string };
}

/** Where one volume's directory is. */
export type Place = { readonly kind: "node"; readonly node: string } | { readonly kind: "shared" };

/** Where nodes see the directories that hold the volumes. */
export interface VolumePaths {
  readonly standard: string;
  readonly shared: string;
}

export interface WantedVolume {
  readonly name: string;
  readonly place: Place;
  readonly manifest: Manifest;
}

/** For `kubectl apply`, once. */
export function storageClasses(): Manifest[] {
  const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
  return [
    storageClass("standard", nodeProvisioner, "WaitForFirstConsumer", isDefault),
    storageClass("shared", sharedProvisioner, "Immediate", {}),
  ];
}

function storageClass(
  name: string,
  provisioner: string,
  volumeBindingMode: string,
  annotations: Readonly<Record<string, string>>,
): Manifest {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name, annotations },
    provisioner,
    volumeBindingMode,
    reclaimPolicy: "Delete",
  };
}

/** The volume that a claim waits for, if it is ours and can be made now. */
export function wantedVolume(
  claim: VolumeClaim,
  classes: readonly StorageClass[],
  paths: VolumePaths,
): WantedVolume | null {
  const { metadata, spec } = claim;
  if (spec.volumeName !== undefined || metadata.deletionTimestamp !== undefined) return null;
  if (spec.volumeMode === "Block") return null;
  const wanted = classes.find((one) => one.metadata.name === spec.storageClassName);
  const place = placeOf(claim, wanted?.provisioner);
  if (wanted === undefined || place === null) return null;
  const name = `pvc-${metadata.uid}`;
  return { name, place, manifest: volumeManifest(name, claim, wanted, { place, paths }) };
}

function placeOf(claim: VolumeClaim, provisioner: string | undefined): Place | null {
  if (provisioner === sharedProvisioner) return { kind: "shared" };
  if (provisioner !== nodeProvisioner) return null;
  // The scheduler chooses the node when the first pod wants the volume.
  const node = claim.metadata.annotations?.[selectedNode];
  return node === undefined || isSharedMode(claim) ? null : { kind: "node", node };
}

/** A directory on one node cannot be what this asks for: the claim stays pending. */
function isSharedMode({ spec: { accessModes = [] } }: VolumeClaim): boolean {
  return accessModes.some((mode) => mode === "ReadWriteMany" || mode === "ReadOnlyMany");
}

function volumeManifest(
  name: string,
  { metadata, spec }: VolumeClaim,
  { metadata: { name: storageClassName }, provisioner, reclaimPolicy = "Delete" }: StorageClass,
  { place, paths }: { readonly place: Place; readonly paths: VolumePaths },
): Manifest {
  const isShared = place.kind === "shared";
  // A local volume must say which nodes have it; of a shared one, all do.
  const nodes = isShared
    ? { key: "kubernetes.io/os", operator: "In", values: ["linux"] }
    : { key: "kubernetes.io/hostname", operator: "In", values: [place.node] };
  const { namespace, name: claimName, uid } = metadata;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, annotations: { [provisionedBy]: provisioner } },
    spec: {
      storageClassName,
      capacity: { storage: spec.resources?.requests?.storage },
      accessModes: spec.accessModes,
      volumeMode: "Filesystem",
      persistentVolumeReclaimPolicy: reclaimPolicy,
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        namespace,
        name: claimName,
        uid,
      },
      local: { path: `${isShared ? paths.shared : paths.standard}/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [nodes] }] } },
    },
  };
}

/** Where the data of a volume is whose claim is gone; null: it is not ours, or to be kept. */
export function reclaimedPlace({ metadata, spec, status }: Volume): Place | null {
  if (status?.phase !== "Released" || spec.persistentVolumeReclaimPolicy !== "Delete") return null;
  if (metadata.deletionTimestamp !== undefined) return null;
  const provisioner = metadata.annotations?.[provisionedBy];
  if (provisioner === sharedProvisioner) return { kind: "shared" };
  if (provisioner !== nodeProvisioner) return null;
  const values = JSON.stringify(spec.nodeAffinity).match(/"values":\["([^"]+)"\]/);
  return values?.[1] === undefined ? null : { kind: "node", node: values[1] };
}
