/**
 * What the chart lets the operator do, at a real API server: no less than it needs, as the operator itself
 * shows with its own account, and no more.
 */
import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { describeWithApi, unlessSkipped, withApi } from "../api/api-level.ts";
import type { Helm } from "../cluster/helm.ts";
import {
  chart,
  describeWithHelm,
  namespace,
  release,
  setting,
  someImage,
  unlessNoHelm,
} from "./chart.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";

const user = `system:serviceaccount:${namespace}:lockstep-operator`;
const timeoutMs = 180_000;

describeWithHelm(`the chart${unlessNoHelm}`, () => {
  describeWithApi(`at an API server${unlessSkipped}`, () => {
    const api = withApi("rights");
    let helm: Helm;
    let operator: OperatorProcess | null = null;

    const mayDo = async (what: string) => {
      const question = ["auth", "can-i", ...what.split(" "), `--as=${user}`];
      return (await api().kubectl.attempt(question)).stdout.trim();
    };

    beforeAll(async () => {
      helm = await api().cluster.helm();
      for (const name of ["blue", "green"]) {
        await api().kubectl.run(["create", "namespace", name]);
      }
      const where = [release, chart, "--namespace", namespace, "--create-namespace"];
      await helm.run(["install", ...where, ...setting(someImage)]);
    }, timeoutMs);

    afterEach(async () => {
      await operator?.end();
      operator = null;
    });

    test.each([
      "watch ftvirtualmachines.lockstep.dev -A",
      "update ftvirtualmachines.lockstep.dev -n default --subresource=status",
      "delete pods -n default",
      "create secrets -n default",
      "watch nodes",
      `create leases.coordination.k8s.io -n ${namespace}`,
    ])("lets the operator %s", async (what) => {
      expect(await mayDo(what)).toBe("yes");
    });

    test.each([
      "list secrets -n default",
      "delete secrets -n default",
      "delete leases.coordination.k8s.io -n default",
      "update ftvirtualmachines.lockstep.dev -n default",
      "delete ftvirtualmachines.lockstep.dev -n default",
      "create pods -n default --subresource=exec",
      "escalate roles.rbac.authorization.k8s.io -n default",
      "bind roles.rbac.authorization.k8s.io -n default",
      "create clusterroles.rbac.authorization.k8s.io",
      "update nodes",
      `create deployments.apps -n ${namespace}`,
    ])("does not let the operator %s", async (what) => {
      expect(await mayDo(what)).toBe("no");
    });

    test("lets the operator give the rights on a Lease, and none that it does not have", async () => {
      const role = async (name: string, apiGroup: string, resource: string, verbs: string[]) => {
        const rules = [{ apiGroups: [apiGroup], resources: [resource], verbs }];
        const object = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", rules };
        const input = JSON.stringify({ ...object, metadata: { name, namespace: "default" } });
        return await api().kubectl.attempt(["create", "-f", "-", `--as=${user}`], { input });
      };
      const runner = await role("web-runner", "coordination.k8s.io", "leases", ["get", "update"]);
      expect(runner).toMatchObject({ code: 0 });
      const more = await role("more", "", "secrets", ["list"]);
      expect(more.stderr).toContain("is attempting to grant RBAC permissions not currently held");
      const binding = ["create", "rolebinding", "web-runner", "--role=web-runner"];
      const whom = ["--serviceaccount=default:web-runner", `--as=${user}`, "-n", "default"];
      expect(await api().kubectl.attempt([...binding, ...whom])).toMatchObject({ code: 0 });
    });

    // Each in a namespace of its own: at this level nobody collects what a machine owned.
    test.each<[string, readonly string[], string]>([
      ["all namespaces", [], "blue"],
      ["two namespaces", ["blue", "green"], "green"],
    ])(
      "lets the operator of %s make a machine, and see it gone",
      async (_, watchNamespaces, where) => {
        const { kubectl, cluster } = api();
        const values = setting({ ...someImage, watchNamespaces });
        await helm.run(["upgrade", release, chart, "--namespace", namespace, ...values]);
        const started = await startOperator(cluster);
        operator = started;
        await kubectl.apply([machine(where)]);
        const all = [
          "leases,secrets,serviceaccounts,roles,rolebindings,services,networkpolicies,pdb",
        ];
        const ours = [...all, "-n", where, "-l", "lockstep.dev/vm=web", "-o", "name"];
        const events = ["events", "-n", where, "-o", "name"];
        await until(
          "the machine's pods, status and events",
          async () => {
            const pods = await kubectl.run(["get", "pods", "-n", where, "-o", "name"]);
            const phase = await kubectl.value(".status.phase", "ftvm", "web", "-n", where);
            const told = await kubectl.run(["get", ...events]);
            if (started.said().includes("forbidden")) throw new Error(started.said());
            return /web-runner-.*web-runner-/s.test(pods) && phase !== "" && told !== ""
              ? true
              : null;
          },
          { everyMs: 200 },
        );
        const kinds = (await kubectl.run(["get", ...ours])).match(/^[^/]+/gm);
        expect(new Set(kinds).size).toBe(8);
        await kubectl.run(["delete", "ftvm", "web", "-n", where, "--timeout=60s"]);
        expect(await kubectl.run(["get", "ftvm", "-A", "-o", "name"])).toBe("");
        expect(started.said()).not.toContain("forbidden");
      },
      timeoutMs,
    );
  });
});

function machine(where: string): object {
  return {
    ...{ apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine" },
    metadata: { name: "web", namespace: where },
    spec: { network: { ports: [{ name: "http", port: 80, guestPort: 80 }] } },
  };
}
