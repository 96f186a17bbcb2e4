/** A real API server takes every object that the operator makes of a machine, and makes of it what is meant. */
import { beforeAll, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import type { FTVirtualMachine } from "../../src/operator/api/v1alpha1.ts";
import type { KubernetesObject } from "../../src/operator/reconcile/actions.ts";
import { gatewayPod } from "../../src/operator/specs/gateway-pod.ts";
import { keySecret } from "../../src/operator/specs/key-secret.ts";
import { desiredObjects } from "../../src/operator/specs/objects.ts";
import { runnerPod } from "../../src/operator/specs/runner-pod.ts";
import type { Answer, ApiClient } from "./api-client.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import {
  dnsPort,
  type MachineParts,
  machineOf,
  runningOf,
  settings,
  webPort,
} from "./specs-machines.ts";

const namespace = "machines";
const manager = "lockstep-operator";
const strict = "&force=true&fieldValidation=Strict";
const timeoutMs = 60_000;

const kernelIn = (volume: object) => ({
  boot: {
    kernel: { volume, path: "bzImage", initrd: "initrd", commandLine: "console=ttyS0 $HOME" },
  },
});

const machines: readonly (readonly [string, MachineParts])[] = [
  ["that is like most", { network: { ports: [webPort] } }],
  ["without a network", { network: { enabled: false } }],
  [
    "with ports of every kind on all nodes",
    {
      network: {
        serviceType: "NodePort",
        ports: [
          { ...webPort, nodePort: 30_080 },
          dnsPort,
          { ...dnsPort, name: "dns-tcp", protocol: "TCP" },
        ],
        readiness: { tcpPort: 8080 },
      },
    },
  ],
  ["behind a load balancer", { network: { serviceType: "LoadBalancer", ports: [webPort] } }],
  [
    "with as many ports as can be",
    {
      network: {
        ports: Array.from({ length: 32 }, (_, n) => ({
          ...webPort,
          ...{ name: `p${n}`, port: 1000 + n, guestPort: 2000 + n },
        })),
      },
    },
  ],
  ["with the longest name", { name: "n".repeat(40), network: { ports: [webPort] } }],
  [
    "with everything that can be said of placement",
    {
      memory: "1Gi",
      placement: {
        topologyKey: "topology.kubernetes.io/zone",
        nodeSelector: { pool: "vm" },
        tolerations: [
          { key: "dedicated", operator: "Equal", value: "vm", effect: "NoSchedule" },
          {
            key: "node.kubernetes.io/not-ready",
            operator: "Exists",
            effect: "NoExecute",
            tolerationSeconds: 9,
          },
          { operator: "Exists" },
        ],
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: "cpu", operator: "In", values: ["a", "b"] }] },
            ],
          },
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, preference: { matchExpressions: [{ key: "ssd", operator: "Exists" }] } },
          ],
        },
        priorityClassName: "important",
        resources: { requests: { cpu: "1", memory: "3Gi" }, limits: { cpu: "2" } },
      },
    },
  ],
  [
    "with a kernel in an image",
    kernelIn({ image: { reference: "registry.example/k:1", pullPolicy: "IfNotPresent" } }),
  ],
  [
    "with a kernel in a claim",
    kernelIn({ persistentVolumeClaim: { claimName: "k", readOnly: true } }),
  ],
  ["with a kernel in a ConfigMap", kernelIn({ configMap: { name: "k" } })],
];

/** Numbered, so that each has objects of its own. */
const cases = machines.map(([what, parts], n) => {
  return [what, machineOf({ name: `m${n}`, ...parts, namespace })] as const;
});

describeWithApi(`objects of a machine${unlessSkipped}`, () => {
  const api = withApi("specs");
  const apply = (object: KubernetesObject) =>
    api().admin.applyAs(manager, placeOf(object), object, strict);
  const expectApplied = async (object: KubernetesObject) => {
    const { status, message, warnings, body } = await apply(object);
    expect([object.kind, status, message, warnings]).toEqual([object.kind, 201, "", ""]);
    return body;
  };

  beforeAll(async () => {
    const enforce = { "pod-security.kubernetes.io/enforce": "restricted" };
    const made = await api().admin.create("/api/v1/namespaces", {
      metadata: {
        name: namespace,
        labels: { ...enforce, "pod-security.kubernetes.io/warn": "restricted" },
      },
    });
    expect(made.status).toBe(201);
    const priority = { metadata: { name: "important" }, value: 1000 };
    await api().admin.create("/apis/scheduling.k8s.io/v1/priorityclasses", priority);
  }, timeoutMs);

  test.each(cases)(
    "of one %s are taken as they are, and once applied stay the same",
    async (_, vm) => {
      for (const object of objectsOf(vm)) {
        const first = await expectApplied(object);
        const again = await apply(object);
        expect([object.kind, again.status, again.message]).toEqual([object.kind, 200, ""]);
        expect(again.body.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      }
    },
    timeoutMs,
  );

  test(
    "make pods to which the API server adds nothing that could end them or give them more",
    async () => {
      const vm = machineOf({ name: "plain", namespace });
      for (const object of objectsOf(vm)) await expectApplied(object);
      for (const pod of podsOf(vm)) {
        const { body } = await api().admin.get(placeOf(pod));
        const wanted = pod["spec"] as Record<string, readonly unknown[]>;
        const spec = body["spec"] as Record<string, readonly unknown[]>;
        // Neither the tolerations for 300 s nor a volume with a token are added.
        expect(spec["tolerations"]).toEqual(wanted["tolerations"]);
        expect(spec["volumes"]?.length).toBe(wanted["volumes"]?.length);
        expect(spec).toMatchObject({
          enableServiceLinks: false,
          automountServiceAccountToken: false,
        });
      }
    },
    timeoutMs,
  );

  test(
    "give the client's Service another type, and other ports, without losing its address",
    async () => {
      const at = (
        serviceType: "ClusterIP" | "NodePort" | "LoadBalancer",
        ports = [{ ...webPort }],
      ) => {
        return clientServiceOf(
          machineOf({ name: "types", namespace, network: { serviceType, ports } }),
        );
      };
      const { body } = await apply(at("NodePort"));
      const address = (body["spec"] as { clusterIP: string }).clusterIP;
      expect(body).toMatchObject({ spec: { ports: [{ nodePort: expect.any(Number) }] } });
      for (const [service, expected] of [
        [at("ClusterIP"), { type: "ClusterIP", ports: [{ port: 80, targetPort: 20_000 }] }],
        [at("LoadBalancer"), { type: "LoadBalancer", externalTrafficPolicy: "Cluster" }],
        [at("ClusterIP", [{ ...webPort, port: 81 as 80 }]), { ports: [{ port: 81 }] }],
      ] as const) {
        const answer = await apply(service);
        expect([answer.status, answer.message]).toEqual([200, ""]);
        expect(answer.body).toMatchObject({ spec: { ...expected, clusterIP: address } });
        const { ports } = answer.body["spec"] as { ports: readonly object[] };
        expect(ports).toHaveLength(1);
      }
    },
    timeoutMs,
  );

  test("keep the key that the Secret was made with", async () => {
    const secret = keySecret(machineOf({ name: "secret", namespace }));
    const stringData = { key: "0".repeat(64) };
    const places = `/api/v1/namespaces/${namespace}/secrets`;
    expect(await api().admin.create(places, { ...secret, stringData })).toMatchObject({
      status: 201,
    });
    const changed = await api().admin.merge(placeOf(secret), { stringData: { key: "1" } });
    expect([changed.status, changed.message]).toEqual([422, expect.stringContaining("immutable")]);
  });

  test.each<[string, MachineParts, string]>([
    [
      "a limit below the request",
      { placement: { resources: { requests: { memory: "2Gi" }, limits: { memory: "1Gi" } } } },
      "must be less than or equal to memory limit",
    ],
    [
      "a node affinity that makes no sense",
      { placement: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: "node1" } } },
      "nodeAffinity",
    ],
  ])("are refused, with the API server's sentence, for %s", async (_, parts, sentence) => {
    const vm = machineOf({ name: "refused", namespace, ...parts });
    const account = desiredObjects(vm, settings).find(
      ({ objectKind }) => objectKind === "ServiceAccount",
    );
    if (account !== undefined) await apply(account.object);
    const [runner] = podsOf(vm);
    const { status, message } = await apply(runner);
    expect(message).toContain(sentence);
    expect(status).toBeGreaterThanOrEqual(400);
  });

  test.each<[string, (pod: Secured) => object]>([
    ["runAsNonRoot", (pod) => without(pod, "runAsNonRoot")],
    ["seccompProfile", (pod) => without(pod, "seccompProfile")],
    ["allowPrivilegeEscalation", (pod) => withContainer(pod, "allowPrivilegeEscalation")],
    ["capabilities", (pod) => withContainer(pod, "capabilities")],
  ])("are in a namespace that would refuse pods without %s", async (field, change) => {
    const vm = machineOf({ name: "secure", namespace });
    for (const { object } of desiredObjects(vm, settings)) await apply(object);
    const [runner] = podsOf(vm);
    const { status, message } = await apply({ ...runner, spec: change(runner["spec"] as Secured) });
    expect(message).toContain('violates PodSecurity "restricted');
    expect(message).toContain(field);
    expect(status).toBe(403);
  });

  describeAccess(api, expectApplied);
});

/** A pod's spec or a container of it, as far as a test changes them. */
interface Secured {
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers?: readonly Secured[];
}

function without({ securityContext, ...rest }: Secured, field: string): Secured {
  const kept = Object.entries(securityContext).filter(([name]) => name !== field);
  return { ...rest, securityContext: Object.fromEntries(kept) };
}

function withContainer(pod: Secured, field: string): object {
  return { ...pod, containers: (pod.containers ?? []).map((each) => without(each, field)) };
}

/** With tokens of a machine's own accounts. */
function describeAccess(
  api: ReturnType<typeof withApi>,
  expectApplied: (object: KubernetesObject) => Promise<object>,
): void {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  const clients = new Map<string, ApiClient>();

  beforeAll(async () => {
    const vm = machineOf({ name: "access", namespace });
    for (const object of objectsOf(vm)) await expectApplied(object);
    for (const name of ["access", "other"]) {
      const made = await api().admin.create(leases, { metadata: { name } });
      expect(made.status).toBe(201);
    }
    for (const component of ["runner", "gateway"]) {
      const account = `access-${component}`;
      const words = ["create", "token", account, `--namespace=${namespace}`];
      const client = api().as((await api().kubectl.run(words)).trim());
      const mayRead = async () =>
        (await client.get(`${leases}/access`)).status === 200 ? true : null;
      await until("the role to count", mayRead);
      clients.set(component, client);
    }
  }, timeoutMs);

  const attempts: Readonly<Record<string, (client: ApiClient) => Promise<Answer>>> = {
    "read its Lease": (client) => client.get(`${leases}/access`),
    "change its Lease": async (client) => {
      const { body } = await api().admin.get(`${leases}/access`);
      return await client.replace(`${leases}/access`, { ...body, spec: { leaseTransitions: 1 } });
    },
    "patch its Lease": (client) => client.merge(`${leases}/access`, { spec: {} }),
    "delete its Lease": (client) => client.delete(`${leases}/access`),
    "read another Lease": (client) => client.get(`${leases}/other`),
    "list Leases": (client) => client.get(leases),
    "make a Lease": (client) => client.create(leases, { metadata: { name: "new" } }),
    "read its key from the API": (client) =>
      client.get(`/api/v1/namespaces/${namespace}/secrets/access-key`),
    "read pods": (client) => client.get(`/api/v1/namespaces/${namespace}/pods`),
  };
  const allowed: Readonly<Record<string, readonly string[]>> = {
    runner: ["read its Lease", "change its Lease"],
    gateway: ["read its Lease"],
  };
  const table = Object.entries(allowed).flatMap(([component, may]) =>
    Object.keys(attempts).map((what): [string, string, string] => {
      return [component, may.includes(what) ? "may" : "may not", what];
    }),
  );

  test.each(table)("let a %s do what it must alone: it %s %s", async (component, may, what) => {
    const client = clients.get(component);
    if (client === undefined) throw new Error(`no client of a ${component}`);
    const answer = await attempts[what]?.(client);
    expect(answer?.status).toBe(may === "may" ? 200 : 403);
  });
}

/** In the order in which the operator makes them. */
function objectsOf(vm: FTVirtualMachine): readonly KubernetesObject[] {
  const around = desiredObjects(vm, settings).map(({ object }) => object);
  return [keySecret(vm), ...around, ...podsOf(vm)];
}

function podsOf(vm: FTVirtualMachine) {
  const running = runningOf(vm);
  const { enabled } = vm.spec.network;
  const shared = { vm, settings, running, avoidNodes: ["node1", "node2"] };
  const runners = [
    runnerPod({ ...shared, number: 1, gatewayIp: enabled ? "10.0.0.7" : null, restartEpoch: null }),
    runnerPod({ ...shared, number: 99_999, gatewayIp: null, restartEpoch: 7, avoidNodes: [] }),
  ] as const;
  return [...runners, ...(enabled ? [gatewayPod({ ...shared, number: 3 })] : [])] as const;
}

function clientServiceOf(vm: FTVirtualMachine): KubernetesObject {
  const found = desiredObjects(vm, settings).find(({ object }) => {
    return object.kind === "Service" && object.metadata.name === vm.metadata.name;
  });
  if (found === undefined) throw new Error("the machine publishes nothing");
  return found.object;
}

const plurals: Readonly<Record<string, string>> = {
  NetworkPolicy: "networkpolicies",
};

/** Path of the object at the API server. */
function placeOf({ apiVersion, kind, metadata }: KubernetesObject): string {
  const root = apiVersion.includes("/") ? "/apis" : "/api";
  const plural = plurals[kind] ?? `${kind.toLowerCase()}s`;
  return `${root}/${apiVersion}/namespaces/${metadata.namespace}/${plural}/${metadata.name}`;
}
