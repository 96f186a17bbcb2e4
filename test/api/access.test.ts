/** Who may do what at a real API server, and what it lets nobody do. */
import { beforeAll, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import type { Answer, ApiClient, ApiObject } from "./api-client.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";

const core = "/api/v1/namespaces/default";
const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
const admission = "/apis/admissionregistration.k8s.io/v1";

describeWithApi(`an API server${unlessSkipped}`, () => {
  const api = withApi("access");
  const create = async (at: string, object: object): Promise<ApiObject> => {
    const { status, message, body } = await api().admin.create(at, object);
    expect([at, status, message]).toEqual([at, 201, ""]);
    return body;
  };

  test("lets exactly one of many writers have a Lease, and the next only with its new version", async () => {
    const lease = await create(leases, {
      metadata: { name: "pair" },
      spec: { leaseTransitions: 0 },
    });
    const take = (holder: string, seen: ApiObject) => {
      const spec = { holderIdentity: holder, leaseTransitions: 1, leaseDurationSeconds: 5 };
      return api().admin.replace(`${leases}/pair`, { ...seen, spec });
    };
    const answers = await Promise.all(
      ["a", "b", "c", "d", "e", "f"].map((who) => take(who, lease)),
    );
    expect(statuses(answers)).toEqual([200, 409, 409, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    const now = await api().admin.get(`${leases}/pair`);
    expect(now.body["spec"]).toEqual(winner?.body["spec"]);
    expect(await take("late", lease)).toMatchObject({ status: 409 });
    expect(await take("next", now.body)).toMatchObject({ status: 200 });
    const { status } = await api().admin.replace(`${leases}/pair`, {
      ...lease,
      metadata: {
        ...lease.metadata,
        uid: "00000000-0000-0000-0000-000000000000",
        resourceVersion: "",
      },
    });
    // A Lease that was deleted and made again is another one.
    expect(status).toBe(409);
  });

  describeServiceAccount(api, create);

  test("refuses what a policy refuses, with the policy's own sentence", async () => {
    const resourceRules = [
      {
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE", "UPDATE"],
        resources: ["configmaps"],
      },
    ];
    await create(`${admission}/validatingadmissionpolicies`, {
      metadata: { name: "no-epoch-back" },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { resourceRules },
        validations: [
          {
            expression:
              "oldObject == null || !has(oldObject.data.epoch) || int(object.data.epoch) >= int(oldObject.data.epoch)",
            messageExpression: "'the epoch is ' + oldObject.data.epoch + ' already'",
          },
        ],
      },
    });
    await create(`${admission}/validatingadmissionpolicybindings`, {
      metadata: { name: "no-epoch-back" },
      spec: { policyName: "no-epoch-back", validationActions: ["Deny"] },
    });
    const at = `${core}/configmaps`;
    await create(at, { metadata: { name: "fence" }, data: { epoch: "5" } });
    const back = () => api().admin.merge(`${at}/fence?dryRun=All`, { data: { epoch: "4" } });
    // A policy is in force some moments after it was made.
    const refused = await until("the policy", async () => {
      const answer = await back();
      return answer.status === 200 ? null : answer;
    });
    expect([refused.status, refused.message]).toEqual([
      422,
      expect.stringContaining("the epoch is 5 already"),
    ]);
    expect(await api().admin.merge(`${at}/fence`, { data: { epoch: "6" } })).toMatchObject({
      status: 200,
    });
  });

  test("refuses privileged pods where the namespace's label says so, and warns where that says so", async () => {
    const level = (mode: string) => `pod-security.kubernetes.io/${mode}`;
    await namespace("strict", { [level("enforce")]: "restricted" });
    await namespace("warning", { [level("warn")]: "restricted" });
    const refused = await api().admin.create(
      "/api/v1/namespaces/strict/pods",
      pod({ privileged: true }),
    );
    expect(refused.status).toBe(403);
    expect(refused.message).toContain('violates PodSecurity "restricted:latest"');
    expect(refused.message).toContain("privileged");
    const warned = await api().admin.create(
      "/api/v1/namespaces/warning/pods",
      pod({ privileged: true }),
    );
    expect([warned.status, warned.message]).toEqual([201, ""]);
    expect(warned.warnings).toContain('would violate PodSecurity "restricted:latest"');
    const allowed = await api().admin.create(
      "/api/v1/namespaces/strict/pods",
      pod({
        ...{ allowPrivilegeEscalation: false, runAsNonRoot: true },
        ...{ capabilities: { drop: ["ALL"] }, seccompProfile: { type: "RuntimeDefault" } },
      }),
    );
    expect([allowed.status, allowed.message, allowed.warnings]).toEqual([201, "", ""]);
  });

  test("gives a namespace's pods what its LimitRange says", async () => {
    await namespace("limited", {});
    await create("/api/v1/namespaces/limited/limitranges", {
      metadata: { name: "defaults" },
      spec: {
        limits: [{ type: "Container", default: { memory: "64Mi" }, max: { memory: "1Gi" } }],
      },
    });
    const at = "/api/v1/namespaces/limited/pods";
    const limits = { memory: "64Mi" };
    const made = await until("the LimitRange", async () => {
      const { body } = await api().admin.create(`${at}?dryRun=All`, pod({}));
      return JSON.stringify(body["spec"]).includes('"limits"') ? body : null;
    });
    expect(made["spec"]).toMatchObject({
      containers: [{ resources: { limits, requests: limits } }],
    });
  });

  test("takes a PodDisruptionBudget, a PriorityClass and an Event", async () => {
    await create("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
      metadata: { name: "pair" },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: "pair" } } },
    });
    await create("/apis/scheduling.k8s.io/v1/priorityclasses", {
      metadata: { name: "lockstep-runner" },
      value: 1000,
    });
    const involvedObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      name: "fence",
      namespace: "default",
    };
    await create(`${core}/events`, {
      metadata: { name: "fence.1" },
      ...{ involvedObject, reason: "FailedOver", message: "the backup took over", type: "Normal" },
    });
    const events = await api().kubectl.run(["get", "events", "--field-selector=reason=FailedOver"]);
    expect(events).toContain("the backup took over");
  });

  /** With what a controller would make in it. */
  const namespace = async (name: string, labels: Readonly<Record<string, string>>) => {
    await create("/api/v1/namespaces", { metadata: { name, labels } });
    await create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } });
  };
});

/** What an arbiter's account may do: read and change one Lease. */
function describeServiceAccount(
  api: ReturnType<typeof withApi>,
  create: (at: string, object: object) => Promise<ApiObject>,
): void {
  let arbiter: ApiClient;
  const user = "--as=system:serviceaccount:default:arbiter";

  beforeAll(async () => {
    const subject = { kind: "ServiceAccount", name: "arbiter", namespace: "default" };
    await create(`${core}/serviceaccounts`, { metadata: { name: "arbiter" } });
    for (const name of ["own", "foreign"]) await create(leases, { metadata: { name } });
    await create(`${rbac}/roles`, {
      metadata: { name: "arbiter" },
      rules: [
        {
          apiGroups: ["coordination.k8s.io"],
          resources: ["leases"],
          resourceNames: ["own"],
          verbs: ["get", "update"],
        },
      ],
    });
    await create(`${rbac}/rolebindings`, {
      metadata: { name: "arbiter" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "arbiter" },
      subjects: [subject],
    });
    const token = await api().kubectl.run(["create", "token", "arbiter", "--duration=10m"]);
    arbiter = api().as(token.trim());
    const mayRead = async () => ((await arbiter.get(`${leases}/own`)).status === 200 ? true : null);
    await until("the role to count", mayRead);
  }, 60_000);

  test("lets a service account's token do what its role says", async () => {
    const { body } = await arbiter.get(`${leases}/own`);
    const spec = { holderIdentity: "primary" };
    const updated = await arbiter.replace(`${leases}/own`, { ...body, spec });
    expect([updated.status, updated.message]).toEqual([200, ""]);
    const stale = await arbiter.replace(`${leases}/own`, { ...body, spec });
    expect(stale.status).toBe(409);
  });

  test.each<[string, (client: ApiClient) => Promise<Answer>]>([
    ["read another Lease", (client) => client.get(`${leases}/foreign`)],
    ["list Leases", (client) => client.get(leases)],
    ["make a Lease", (client) => client.create(leases, { metadata: { name: "new" } })],
    ["delete its own Lease", (client) => client.delete(`${leases}/own`)],
    [
      "patch its own Lease",
      (client) => client.merge(`${leases}/own`, { metadata: { labels: {} } }),
    ],
    ["read Secrets", (client) => client.get(`${core}/secrets`)],
    ["give itself more", (client) => client.delete(`${rbac}/roles/arbiter`)],
    [
      "read a Lease of its name elsewhere",
      (client) => client.get("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/own"),
    ],
  ])("does not let it %s", async (_, attempt) => {
    const { status, message } = await attempt(arbiter);
    expect([status, message]).toEqual([
      403,
      expect.stringContaining('User "system:serviceaccount:default:arbiter" cannot'),
    ]);
  });

  test("answers beforehand what somebody may do", async () => {
    const canI = async (...what: string[]) => {
      return (await api().kubectl.attempt(["auth", "can-i", ...what, user])).stdout.trim();
    };
    expect(await canI("update", "leases.coordination.k8s.io/own")).toBe("yes");
    expect(await canI("update", "leases.coordination.k8s.io/foreign")).toBe("no");
    expect(await canI("create", "pods")).toBe("no");
  });

  test.each([
    ["no token that anybody gave", "abc", 401],
    ["a token that was changed", "changed", 401],
  ])("knows nobody by %s", async (_, token, status) => {
    const real = (await api().kubectl.run(["create", "token", "arbiter"])).trim();
    const given = token === "changed" ? `${real.slice(0, -8)}AAAAAAAA` : token;
    expect(await api().as(given).get(`${leases}/own`)).toMatchObject({ status });
  });
}

function statuses(answers: readonly Answer[]): number[] {
  return answers.map(({ status }) => status).sort((a, b) => a - b);
}

function pod(securityContext: object): object {
  const containers = [{ name: "one", image: "localhost/client:1", securityContext }];
  return { metadata: { generateName: "pod-" }, spec: { containers } };
}
