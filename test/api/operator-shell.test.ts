/** What the operator's shell does at a real API server with plans that a test makes. */
import { afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { pause, until } from "../../bench/waiting.ts";
import { objectNames } from "../../src/operator/api/names.ts";
import type { FTVirtualMachineStatus } from "../../src/operator/api/v1alpha1.ts";
import { type RunningOperator, startOperator } from "../../src/operator/main.ts";
import type { Action, Plan } from "../../src/operator/reconcile/actions.ts";
import type { Observation } from "../../src/operator/reconcile/observation.ts";
import { keySecret } from "../../src/operator/specs/key-secret.ts";
import { desiredObjects } from "../../src/operator/specs/objects.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import {
  installMachines,
  machinesOf,
  makeMachine,
  makeNamespace,
  podOf,
} from "./operator-machines.ts";
import { settings } from "./specs-machines.ts";

jest.setTimeout(120_000);

const nothing: Plan = { actions: [], status: {}, events: [], againInMs: null };

describeWithApi(`the operator's shell${unlessSkipped}`, () => {
  const api = withApi("shell");
  let namespace = "";
  let spaces = 0;
  let operator: RunningOperator | null = null;
  /** Of each machine, by name: all that was seen of it, oldest first. */
  let seen: Map<string, Observation[]>;

  beforeAll(() => installMachines(api()), 120_000);
  beforeEach(async () => {
    spaces += 1;
    namespace = `shell-${spaces}`;
    seen = new Map();
    await makeNamespace(api(), namespace, {
      "pod-security.kubernetes.io/enforce": "restricted",
    });
  });
  afterEach(async () => {
    await operator?.stop();
    await operator?.ended;
    operator = null;
  });

  const start = async (plan: (o: Observation) => Plan) => {
    const { kubeconfig } = await api().cluster.layout();
    operator = await startOperator({
      ...{ kubeconfig, namespaces: [namespace], settings, workers: 4 },
      http: { host: "127.0.0.1", port: 0 },
      lease: { namespace, name: "lockstep-operator" },
      plan: (o) => {
        const { name } = o.vm.metadata;
        seen.set(name, [...(seen.get(name) ?? []), o]);
        return plan(o);
      },
    });
    return operator;
  };
  const looks = (name: string) => seen.get(name) ?? [];
  const last = (name: string) => looks(name).at(-1);
  const seenUntil = (name: string, what: string, holds: (o: Observation) => boolean) =>
    until(`${name} to be seen ${what}`, () => looks(name).find(holds) ?? null);
  const machine = async (name: string) =>
    (await api().admin.get(`${machinesOf(namespace)}/${name}`)).body;
  const touch = async (name: string, value: string) => {
    const metadata = { annotations: { "example.com/touched": value } };
    await api().admin.merge(`${machinesOf(namespace)}/${name}`, { metadata });
  };
  const at = (root: string, kind: string, name = "") =>
    `${root}/namespaces/${namespace}/${kind}${name === "" ? "" : `/${name}`}`;
  const pod = (name: string) => at("/api/v1", "pods", name);
  const metric = async (line: string) => {
    const url = `http://127.0.0.1:${operator?.httpPort}/metrics`;
    const text = await (await fetch(url)).text();
    return Number(
      text
        .split("\n")
        .find((at) => at.startsWith(line))
        ?.split(" ")
        .at(-1) ?? 0,
    );
  };

  test("looks at a machine when it changes, and at rest neither looks nor writes", async () => {
    await makeMachine(api(), namespace, "web");
    await start(() => ({ ...nothing, status: { phase: "Stopped", epoch: 3 } }));
    await until("the status", async () =>
      (await machine("web"))["status"] === undefined ? null : true,
    );
    const { metadata } = await machine("web");
    await pause(1_000);
    // Again after the write, and when it is heard of; then no more.
    const settled = looks("web").length;
    expect(settled).toBeLessThanOrEqual(3);
    await touch("web", "once");
    await seenUntil("web", "with the change", (o) => o.vm.metadata.annotations !== undefined);
    await pause(1_000);
    expect(looks("web")).toHaveLength(settled + 1);
    expect(last("web")?.vm.status).toEqual({ phase: "Stopped", epoch: 3 });
    const generation = (await machine("web")).metadata["generation"];
    expect(generation).toBe(metadata["generation"]);
    const writes = 'lockstep_operator_api_writes_total{kind="FTVirtualMachine",verb="status"}';
    expect(await metric(writes)).toBe(1);
  });

  test("a status that was written is what the next look sees, however soon it comes", async () => {
    await makeMachine(api(), namespace, "web");
    const counts = (o: Observation): FTVirtualMachineStatus => {
      return { epoch: Math.min((o.vm.status?.epoch ?? 0) + 1, 20) };
    };
    await start((o) => ({ ...nothing, status: counts(o), againInMs: 1 }));
    await seenUntil("web", "at its end", (o) => o.vm.status?.epoch === 20);
    const epochs = looks("web").map((o) => o.vm.status?.epoch ?? 0);
    // Nothing was seen twice as it was before, so nothing was counted twice.
    expect(epochs.filter((epoch, i) => epoch < 20 && epochs.indexOf(epoch) !== i)).toEqual([]);
    expect(await metric('lockstep_operator_reconcile_errors_total{kind="conflict"}')).toBe(0);
  });

  test("every action may be repeated: after ten times there is what was there after the first", async () => {
    await makeMachine(api(), namespace, "web");
    await start((o) => ({ ...nothing, actions: everything(o), againInMs: 20 }));
    await seenUntil("web", "complete", (o) => o.pods.length === 1 && o.pods[0]?.role === "backup");
    const before = await snapshot();
    const count = looks("web").length;
    await until("ten more looks", () => (looks("web").length >= count + 10 ? true : null));
    expect(await snapshot()).toEqual(before);

    const o = last("web");
    const names = objectNames("web");
    expect(o?.record).toMatchObject({ kind: "present", record: { epoch: 0, primary: null } });
    expect(o?.objects.get(`Secret/${names.key}`)).toMatchObject({ ours: true });
    const wanted = desiredObjects(o?.vm ?? never(), settings);
    for (const { objectKind, object } of wanted) {
      const found = o?.objects.get(`${objectKind}/${object.metadata.name}`);
      expect(found).toMatchObject({ ours: true, applied: expect.any(String) });
    }
    expect(o?.pods[0]).toMatchObject({ held: true, bootId: "b", number: 1, life: 2, node: null });
    const secret = await api().admin.get(at("/api/v1", "secrets", names.key));
    const data = secret.body["data"];
    expect(JSON.stringify(data)).toMatch(/^\{"key":"[A-Za-z0-9+/]{86}=="\}$/);
  });

  const snapshot = async () => {
    const lists = [
      at("/apis/coordination.k8s.io/v1", "leases/web"),
      at("/api/v1", "secrets", objectNames("web").key),
      at("/api/v1", "serviceaccounts", objectNames("web").runner),
      at("/apis/networking.k8s.io/v1", "networkpolicies"),
      at("/apis/policy/v1", "poddisruptionbudgets"),
      at("/apis/rbac.authorization.k8s.io/v1", "roles"),
      pod("web-runner-1"),
      `${machinesOf(namespace)}/web`,
    ];
    const answers = await Promise.all(lists.map((path) => api().admin.get(path)));
    return answers.map(({ body }) => {
      return JSON.stringify(body["items"] ?? body.metadata);
    });
  };

  /** One of each action that makes something. */
  const everything = (o: Observation): readonly Action[] => {
    const runner = o.pods[0];
    return [
      { kind: "addFinalizer" },
      { kind: "createRecord" },
      { kind: "createKey", name: objectNames("web").key, object: keySecret(o.vm) },
      ...desiredObjects(o.vm, settings).map((desired) => ({ kind: "apply" as const, ...desired })),
      { kind: "createPod", pod: podOf(o, "web-runner-1") },
      ...(runner === undefined
        ? []
        : [
            {
              ...{ kind: "labelPod" as const, name: runner.name, uid: runner.uid },
              labels: { "lockstep.dev/role": "backup" },
              annotations: { "lockstep.dev/boot-id": "b" },
            },
          ]),
    ];
  };

  test("a held pod that is deleted stays until it is released; another of its name is not touched", async () => {
    await makeMachine(api(), namespace, "web");
    let wish: "make" | "delete" | "release" = "make";
    await start((o) => {
      const [runner] = o.pods;
      const { uid = "", name = "web-runner-1" } = runner ?? {};
      const actions: Record<typeof wish, Action> = {
        make: { kind: "createPod", pod: podOf(o, name) },
        delete: { kind: "deletePod", name, uid, force: true },
        release: { kind: "releasePod", name, uid },
      };
      return { ...nothing, actions: [actions[wish]], againInMs: 50 };
    });
    await seenUntil("web", "with its pod", (o) => o.pods.length === 1);
    wish = "delete";
    await seenUntil("web", "with its pod deleted", (o) => o.pods[0]?.deleting === true);
    await pause(300);
    expect((await api().admin.get(pod("web-runner-1"))).status).toBe(200);
    wish = "release";
    await until("the pod to go", async () => {
      return (await api().admin.get(pod("web-runner-1"))).status === 404 ? true : null;
    });
  });

  test("a deletion, a release and a label are for the pod with the uid alone", async () => {
    await makeMachine(api(), namespace, "web");
    const uid = "00000000-0000-0000-0000-000000000000";
    const name = "web-runner-1";
    await start((o) => ({
      ...nothing,
      actions: [
        { kind: "createPod", pod: podOf(o, name) },
        { kind: "deletePod", name, uid, force: true },
        { kind: "releasePod", name, uid },
        {
          kind: "labelPod",
          name,
          uid,
          labels: { "lockstep.dev/role": "primary" },
          annotations: {},
        },
        { kind: "deletePod", name: "web-runner-9", uid, force: true },
        { kind: "releasePod", name: "web-runner-9", uid },
      ],
      againInMs: 50,
    }));
    await seenUntil("web", "with its pod", (o) => o.pods.length === 1);
    const count = looks("web").length;
    await until("more looks", () => (looks("web").length >= count + 3 ? true : null));
    expect(last("web")?.pods[0]).toMatchObject({ held: true, deleting: false, role: null });
    expect(last("web")?.refusals).toEqual([]);
    expect(await metric("lockstep_operator_queue_retries_total")).toBe(0);
  });

  test("a pod that the API server refuses comes back to the plan with its sentence, and the rest is done", async () => {
    await makeMachine(api(), namespace, "web");
    let privileged = true;
    await start((o) => ({
      ...nothing,
      actions: [
        { kind: "createPod", pod: podOf(o, "web-runner-1", privileged ? { hostPID: true } : {}) },
        { kind: "addFinalizer" },
      ],
      againInMs: 200,
    }));
    const refused = await seenUntil("web", "with a refusal", (o) => o.refusals.length === 1);
    expect(refused.refusals[0]).toMatchObject({
      what: "Pod",
      message: expect.stringContaining('violates PodSecurity "restricted:latest": host namespaces'),
    });
    expect(refused.vm.metadata.finalizers).toEqual(["lockstep.dev/power-off"]);
    privileged = false;
    await seenUntil("web", "with its pod", (o) => o.pods.length === 1 && o.refusals.length === 0);
  });

  test("one machine whose actions are refused keeps no other one waiting", async () => {
    for (const name of ["bad", "good"]) await makeMachine(api(), namespace, name);
    await start((o) => {
      if (o.vm.metadata.name === "good") return { ...nothing, status: { phase: "Running" } };
      throw new Error("a defect of the plan");
    });
    await until("the status", async () => ((await machine("good"))["status"] ? true : null));
    await touch("good", "again");
    await seenUntil("good", "again", (o) => o.vm.metadata.annotations !== undefined);
    await until("two tries", () => (looks("bad").length > 1 ? true : null));
  });

  test("what belongs to somebody else is shown as such, and never touched", async () => {
    const names = objectNames("web");
    const own = { metadata: { name: names.runner } };
    const accounts = at("/api/v1", "serviceaccounts");
    const made = await api().admin.create(accounts, own);
    const secrets = at("/api/v1", "secrets");
    await api().admin.create(secrets, { metadata: { name: names.key }, data: { key: "AAAA" } });
    await api().admin.create(at("/apis/coordination.k8s.io/v1", "leases"), {
      metadata: { name: names.record },
    });
    const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
    await api().admin.create(at("/api/v1", "pods"), {
      metadata: { name: "web-runner-1" },
      spec: {
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [{ name: "other", image: "nothing", securityContext: restricted }],
      },
    });
    await makeMachine(api(), namespace, "web");
    await start((o) => ({ ...nothing, actions: everything(o), againInMs: 500 }));
    const o = await seenUntil("web", "with what is foreign", ({ objects }) =>
      objects.has(`ServiceAccount/${names.runner}`),
    );
    expect(o.objects.get(`ServiceAccount/${names.runner}`)?.ours).toBe(false);
    expect(o.objects.get(`Secret/${names.key}`)?.ours).toBe(false);
    expect(o.record).toMatchObject({ kind: "unusable" });
    expect(o.pods).toEqual([]);
    const said = o.refusals.map(({ what, message }) => `${what}: ${message}`);
    expect(said).toContainEqual(
      `Pod: Pod ${namespace}/web-runner-1 exists already and belongs to somebody else`,
    );
    const now = await api().admin.get(`${accounts}/${names.runner}`);
    expect(now.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
  });

  test("pods that outlive their machine are released", async () => {
    await makeMachine(api(), namespace, "web");
    await start((o) => ({
      ...nothing,
      actions: o.pods.length === 0 ? [{ kind: "createPod", pod: podOf(o, "web-runner-1") }] : [],
    }));
    await seenUntil("web", "with its pod", (o) => o.pods.length === 1);
    // Here nobody collects garbage: the test deletes what belonged to the machine.
    await api().admin.delete(pod("web-runner-1"));
    await api().admin.delete(`${machinesOf(namespace)}/web`);
    await until("the pod to go", async () => {
      return (await api().admin.get(pod("web-runner-1"))).status === 404 ? true : null;
    });
  });

  test("a machine's finalizer goes last, and with it the machine", async () => {
    await makeMachine(api(), namespace, "web");
    await start((o) => ({
      ...nothing,
      actions: [
        {
          kind: o.vm.metadata.deletionTimestamp === undefined ? "addFinalizer" : "removeFinalizer",
        },
      ],
    }));
    await until("the finalizer", async () =>
      (await machine("web")).metadata["finalizers"] === undefined ? null : true,
    );
    await api().admin.delete(`${machinesOf(namespace)}/web`);
    await until("the machine to go", async () => {
      return (await api().admin.get(`${machinesOf(namespace)}/web`)).status === 404 ? true : null;
    });
  });

  test("an event is told once, however often it is planned", async () => {
    await makeMachine(api(), namespace, "web");
    const event = { type: "Warning", reason: "BackupLost", message: "the backup is gone" } as const;
    await start(() => ({ ...nothing, events: [event], againInMs: 50 }));
    const events = at("/apis/events.k8s.io/v1", "events");
    await until("many looks", () => (looks("web").length > 10 ? true : null));
    const { body } = await api().admin.get(events);
    expect(body["items"]).toEqual([
      expect.objectContaining({
        ...{ type: "Warning", reason: "BackupLost", note: "the backup is gone" },
        regarding: expect.objectContaining({ kind: "FTVirtualMachine", name: "web" }),
      }),
    ]);
    const described = await api().kubectl.run(["describe", "-n", namespace, "ftvm", "web"]);
    expect(described).toContain("the backup is gone");
  });

  test("of a storm of pods, each machine's turn comes, and no more at once than the limit", async () => {
    const count = 60;
    const all = Array.from({ length: count }, (_, i) => `web${i}`);
    for (const name of all) await makeMachine(api(), namespace, name);
    const startMs = performance.now();
    await start((o) => {
      const name = `${o.vm.metadata.name}-runner-1`;
      const actions =
        o.pods.length > 0 ? [] : [{ kind: "createPod", pod: podOf(o, name) } as const];
      return { ...nothing, actions };
    });
    await until("all pods", () => (all.every((n) => last(n)?.pods.length === 1) ? true : null));
    // A burst of 40, and then 20 a second.
    expect(performance.now() - startMs).toBeGreaterThan(900);
    expect(await metric("lockstep_operator_reconcile_errors_total")).toBe(0);
  });

  test("its ports say what it does", async () => {
    const { httpPort } = await start(() => nothing);
    const get = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${httpPort}${path}`);
      return `${answer.status} ${await answer.text()}`;
    };
    await until("it to lead", async () =>
      (await metric("lockstep_operator_leader")) === 1 ? true : null,
    );
    expect(await get("/healthz")).toBe("200 ok\n");
    expect(await get("/readyz")).toBe("200 ready\n");
    expect(await get("/metrics")).toContain('lockstep_operator_watch_running{resource="pods"} 1');
  });
});

function never(): never {
  throw new Error("nothing was seen");
}
