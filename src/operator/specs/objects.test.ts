import { expect, test } from "@jest/globals";
import {
  dnsPort,
  type MachineParts,
  machineOf,
  settings,
  webPort,
} from "../../../test/api/specs-machines.ts";
import { keySecret } from "./key-secret.ts";
import { hashOf } from "./object-hash.ts";
import { desiredObjects } from "./objects.ts";

const ofRunners = [
  "ServiceAccount web-runner",
  "Role web-runner",
  "RoleBinding web-runner",
  "NetworkPolicy web-runner",
  "PodDisruptionBudget web-runner",
];
const ofGateway = [
  "ServiceAccount web-gateway",
  "Role web-gateway",
  "RoleBinding web-gateway",
  "NetworkPolicy web-gateway",
  "Service web-gateway",
];

test.each<[string, MachineParts, readonly string[]]>([
  ["has no network", { network: { enabled: false } }, ofRunners],
  ["publishes nothing", {}, [...ofRunners, ...ofGateway]],
  [
    "publishes a port",
    { network: { ports: [webPort] } },
    [...ofRunners, ...ofGateway, "Service web"],
  ],
  [
    "has no network, whatever it publishes",
    { network: { enabled: false, ports: [webPort] } },
    ofRunners,
  ],
  ["has no backup", { faultTolerance: { enabled: false } }, [...ofRunners, ...ofGateway]],
])("a machine that %s has just its objects", (_, parts, expected) => {
  const found = desiredObjects(machineOf(parts), settings).map(
    ({ objectKind, object }) => `${objectKind} ${object.metadata.name}`,
  );
  expect(found.sort()).toEqual([...expected].sort());
});

const full = machineOf({ network: { serviceType: "NodePort", ports: [webPort, dnsPort] } });

test("every object is of the kind that it is said to be, is the machine's, and goes with it", () => {
  const all = desiredObjects(full, settings);
  for (const { objectKind, object } of [
    ...all,
    { objectKind: "Secret", object: keySecret(full) },
  ]) {
    expect(object).toMatchObject({
      kind: objectKind,
      metadata: {
        namespace: "default",
        labels: { "app.kubernetes.io/name": "lockstep", "lockstep.dev/vm": "web" },
        ownerReferences: [
          {
            apiVersion: "lockstep.dev/v1alpha1",
            kind: "FTVirtualMachine",
            name: "web",
            uid: full.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
    });
  }
});

test("every object says the hash of all else of it", () => {
  for (const { object } of desiredObjects(full, settings)) {
    const { annotations, ...metadata } = object.metadata;
    expect(annotations).toEqual({ "lockstep.dev/applied": hashOf({ ...object, metadata }) });
  }
});

test("a change of the spec changes just the objects that it concerns", () => {
  const hashes = (parts: MachineParts) => {
    const objects = desiredObjects(machineOf(parts), settings);
    return new Map(
      objects.map(({ objectKind, object }) => [
        `${objectKind} ${object.metadata.name}`,
        object.metadata.annotations?.["lockstep.dev/applied"],
      ]),
    );
  };
  const before = hashes({ network: { ports: [webPort] } });
  const after = hashes({ memory: "256Mi", network: { ports: [webPort, dnsPort] } });
  const changed = [...after].filter(([name, hash]) => before.get(name) !== hash);
  expect(changed.map(([name]) => name)).toEqual(["NetworkPolicy web-gateway", "Service web"]);
});

test.each([
  ["ClusterIP", {}, undefined],
  ["NodePort", { nodePort: 30080 }, "Cluster"],
  ["LoadBalancer", { nodePort: 30080 }, "Cluster"],
] as const)(
  "the Service of type %s leads each published port to the gateway's",
  (serviceType, node, policy) => {
    const published = [{ ...webPort, nodePort: 30080 }, dnsPort];
    const vm = machineOf({ network: { serviceType, ports: published } });
    const service = desiredObjects(vm, settings).find(
      ({ objectKind, object }) => objectKind === "Service" && object.metadata.name === "web",
    );
    expect(service?.object["spec"]).toEqual({
      type: serviceType,
      sessionAffinity: "None",
      ...(policy === undefined ? {} : { externalTrafficPolicy: policy }),
      selector: { "lockstep.dev/vm": "web", "lockstep.dev/component": "gateway" },
      ports: [
        { name: "http", port: 80, targetPort: 20_000, protocol: "TCP", ...node },
        { name: "dns", port: 53, targetPort: 20_001, protocol: "UDP" },
      ],
    });
  },
);

test("runners reach a gateway that is not ready yet: it only becomes so by them", () => {
  const service = desiredObjects(machineOf(), settings).find(
    ({ object }) => object.kind === "Service",
  );
  expect(service?.object).toMatchObject({
    metadata: { name: "web-gateway" },
    spec: { type: "ClusterIP", publishNotReadyAddresses: true, ports: [{ port: 7200 }] },
  });
});

test("runners may read and change their own Lease, the gateway may read it, and nothing else", () => {
  const rulesOf = (name: string) => {
    const role = desiredObjects(full, settings).find(
      ({ objectKind, object }) => objectKind === "Role" && object.metadata.name === name,
    );
    return role?.object["rules"];
  };
  const lease = {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: ["web"],
  };
  expect(rulesOf("web-runner")).toEqual([{ ...lease, verbs: ["get", "update"] }]);
  expect(rulesOf("web-gateway")).toEqual([{ ...lease, verbs: ["get"] }]);
});

test("the key's Secret cannot be changed, and comes without a key", () => {
  const secret = keySecret(full);
  expect(secret).toMatchObject({ type: "Opaque", immutable: true, metadata: { name: "web-key" } });
  expect(Object.keys(secret)).not.toContain("data");
});

test.each(["a".repeat(41), "Web", "1web", "we.b", "web-", ""])(
  'the name "%s", of which no other names can be made, is a broken invariant',
  (name) => {
    expect(() => desiredObjects(machineOf({ name }), settings)).toThrow("names of which others");
  },
);
