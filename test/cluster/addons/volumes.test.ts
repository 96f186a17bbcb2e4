/** Which claims get a volume, where it is, and which volumes go with their claim. */
import { expect, test } from "@jest/globals";
import {
  nodeProvisioner,
  reclaimedPlace,
  sharedProvisioner,
  type Volume,
  type VolumeClaim,
  wantedVolume,
} from "./volumes.ts";

const classes = [
  { metadata: { name: "standard" }, provisioner: nodeProvisioner, reclaimPolicy: "Delete" },
  { metadata: { name: "shared" }, provisioner: sharedProvisioner, reclaimPolicy: "Delete" },
  { metadata: { name: "kept" }, provisioner: nodeProvisioner, reclaimPolicy: "Retain" },
  { metadata: { name: "others" }, provisioner: "example.com/disks" },
];
const paths = { standard: "/volumes", shared: "/shared" };
const onNode2 = { "volume.kubernetes.io/selected-node": "node2" };

function claim(
  storageClassName: string,
  changes: { readonly metadata?: object; readonly spec?: object } = {},
): VolumeClaim {
  const requests = { storage: "1Gi" };
  const spec = { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests } };
  return {
    metadata: { name: "data", namespace: "shop", uid: "u1", ...changes.metadata },
    spec: { ...spec, ...changes.spec },
  };
}

const scheduled = { metadata: { annotations: onNode2 } };

const waiting: readonly [string, VolumeClaim][] = [
  ["its pod is not scheduled yet", claim("standard")],
  ["it has its volume", claim("standard", { ...scheduled, spec: { volumeName: "pvc-u1" } })],
  ["it is being deleted", claim("shared", { metadata: { deletionTimestamp: "2026-01-01" } })],
  ["its class is not ours", claim("others", scheduled)],
  ["its class does not exist", claim("none", scheduled)],
  ["it has no class", claim("", scheduled)],
  [
    "many nodes cannot have one's directory",
    claim("standard", { ...scheduled, spec: { accessModes: ["ReadWriteMany"] } }),
  ],
  [
    "a directory is no block device",
    claim("standard", { ...scheduled, spec: { volumeMode: "Block" } }),
  ],
];

test.each(waiting)("a claim gets no volume from us when %s", (_, pending) => {
  expect(wantedVolume(pending, classes, paths)).toBeNull();
});

test("a scheduled claim gets a directory of its node, and only pods there can use it", () => {
  const wanted = wantedVolume(claim("standard", scheduled), classes, paths);
  expect(wanted).toMatchObject({ name: "pvc-u1", place: { kind: "node", node: "node2" } });
  expect(wanted?.manifest["spec"]).toMatchObject({
    capacity: { storage: "1Gi" },
    claimRef: { namespace: "shop", name: "data", uid: "u1" },
    local: { path: "/volumes/pvc-u1" },
    persistentVolumeReclaimPolicy: "Delete",
    nodeAffinity: affinity("kubernetes.io/hostname", "node2"),
  });
});

test("a shared claim gets a directory that every node has, before any pod wants it", () => {
  const many = claim("shared", { spec: { accessModes: ["ReadWriteMany"] } });
  const wanted = wantedVolume(many, classes, paths);
  expect(wanted).toMatchObject({ place: { kind: "shared" } });
  expect(wanted?.manifest["spec"]).toMatchObject({
    accessModes: ["ReadWriteMany"],
    local: { path: "/shared/pvc-u1" },
    nodeAffinity: affinity("kubernetes.io/os", "linux"),
  });
});

function affinity(key: string, value: string) {
  const matchExpressions = [{ key, operator: "In", values: [value] }];
  return { required: { nodeSelectorTerms: [{ matchExpressions }] } };
}

/** The volume as the cluster has it when its claim is gone. */
function released(storageClassName: string): Volume {
  const wanted = wantedVolume(claim(storageClassName, scheduled), classes, paths);
  return JSON.parse(JSON.stringify({ ...wanted?.manifest, status: { phase: "Released" } }));
}

test.each([
  ["standard", { kind: "node", node: "node2" }],
  ["shared", { kind: "shared" }],
  ["kept", null],
])("the data of a volume of class %s, whose claim is gone", (storageClass, place) => {
  expect(reclaimedPlace(released(storageClass))).toEqual(place);
});

test("the data of a volume stays while it is claimed, and that of others for ever", () => {
  const volume = released("standard");
  expect(reclaimedPlace({ ...volume, status: { phase: "Bound" } })).toBeNull();
  expect(reclaimedPlace({ ...volume, metadata: { name: "pvc-u1" } })).toBeNull();
  const deleted = { ...volume.metadata, deletionTimestamp: "2026-01-01" };
  expect(reclaimedPlace({ ...volume, metadata: deleted })).toBeNull();
});
