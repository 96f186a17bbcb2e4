/** The chart and the plain manifests at a real API server; no pod runs there. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { describeWithApi, unlessSkipped, withApi } from "../api/api-level.ts";
import type { Helm } from "../cluster/helm.ts";
import { run } from "../cluster/run-program.ts";
import {
  chart,
  describeWithHelm,
  namespace,
  release,
  root,
  setting,
  someImage,
  template,
  unlessNoHelm,
  type Values,
} from "./chart.ts";
import { monitoringDefinitions } from "./monitoring-definitions.ts";

const crd = "customresourcedefinition/ftvirtualmachines.lockstep.dev";
const deployment = ["deployment/lockstep-operator", "-n", namespace];
const everything: Values = {
  ...someImage,
  "monitoring.podMonitor.enabled": true,
  "monitoring.serviceMonitor.enabled": true,
  "monitoring.rules.enabled": true,
  "monitoring.dashboards.enabled": true,
};
const dryRun = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
const timeoutMs = 120_000;

describeWithHelm(`the chart${unlessNoHelm}`, () => {
  describeWithApi(`at an API server${unlessSkipped}`, () => {
    describe("that has nothing of it yet", () => {
      const api = withApi("chart");

      beforeAll(async () => {
        await api().kubectl.run(["create", "namespace", "blue"]);
        await api().kubectl.run(["create", "namespace", namespace]);
        await api().kubectl.apply(monitoringDefinitions);
        const names = monitoringDefinitions.map(({ metadata }) => `crd/${metadata.name}`);
        await api().kubectl.run(["wait", "--for=condition=Established", ...names]);
      }, timeoutMs);

      test.each<[string, Values]>([
        ["with the values as they are", someImage],
        ["with all that is optional", everything],
        ["for one namespace", { ...everything, watchNamespaces: ["blue"], replicas: 1 }],
      ])(
        "is taken %s, to the last field",
        async (_, values) => {
          const { kubectl } = api();
          const said = await kubectl.run(dryRun, { input: await template(values) });
          expect(said).toMatch(/^deployment.apps\/lockstep-operator created/m);
        },
        timeoutMs,
      );

      test(
        "is not taken with a field that Kubernetes does not know",
        async () => {
          const input = await template({ ...someImage, "affinity.nodeAffinity": { nodes: [] } });
          const { stderr } = await api().kubectl.attempt(dryRun, { input });
          expect(stderr).toContain(
            'unknown field "spec.template.spec.affinity.nodeAffinity.nodes"',
          );
        },
        timeoutMs,
      );

      test(
        "as plain manifests is installed and removed by kubectl",
        async () => {
          const text = await readFile(path.join(root, "manifests", "lockstep.yaml"), "utf8");
          const input = text.replaceAll(
            "lockstep.invalid/lockstep",
            "registry.example.com/lockstep",
          );
          const { kubectl } = api();
          await kubectl.run(["apply", "--validate=strict", "-f", "-"], { input });
          expect(await kubectl.value(".spec.replicas", ...deployment)).toBe("2");
          await kubectl.run(["apply", "-f", "-"], { input });
          expect(await kubectl.value(".metadata.generation", ...deployment)).toBe("1");
          await kubectl.run(["delete", "--wait=false", "-f", "-"], { input });
          expect((await kubectl.attempt(["get", ...deployment])).stderr).toContain("not found");
        },
        timeoutMs,
      );
    });

    describe("installed, upgraded and uninstalled by Helm", () => {
      const api = withApi("release");
      let helm: Helm;
      const install = async (...args: readonly string[]) => {
        const where = [release, chart, "--namespace", namespace];
        return await helm.run(["install", ...where, "--create-namespace", ...args]);
      };

      beforeAll(async () => {
        helm = await api().cluster.helm();
        await install(...setting(someImage));
      }, timeoutMs);

      test("says what to do next", async () => {
        const notes = await helm.run(["get", "notes", release, "-n", namespace]);
        expect(notes).toContain(
          `kubectl -n ${namespace} rollout status deployment/lockstep-operator`,
        );
        expect(notes).toContain("kubectl apply -f examples/counter.yaml");
        expect(notes).toContain("Before you uninstall: delete the FTVirtualMachines");
      });

      test("has pods that restricted Pod Security lets in, without a warning", async () => {
        const level = (mode: string) => `pod-security.kubernetes.io/${mode}=restricted`;
        const labels = ["label", "namespace", namespace, level("enforce"), level("warn")];
        await api().kubectl.run(labels);
        const { metadata, spec } = JSON.parse(
          await api().kubectl.value(".spec.template", ...deployment),
        );
        const pod = { metadata: { ...metadata, generateName: "operator-" }, spec };
        const answer = await api().admin.create(`/api/v1/namespaces/${namespace}/pods`, pod);
        expect([answer.status, answer.message, answer.warnings]).toEqual([201, "", ""]);
      });

      test(
        "changes the definition of the resource with an upgrade, and leaves machines alone",
        async () => {
          await api().kubectl.apply([machine("kept")]);
          const uid = await api().kubectl.value(".metadata.uid", "ftvm", "kept");
          const folder = await mkdtemp(path.join(os.tmpdir(), "chart-"));
          try {
            await cp(chart, folder, { recursive: true });
            const file = path.join(folder, "definitions", "lockstep.dev_ftvirtualmachines.yaml");
            const text = await readFile(file, "utf8");
            await writeFile(file, text.replace("- ftvm\n", "- ftvm\n      - newer\n"));
            const where = [release, folder, "--namespace", namespace];
            await helm.run(["upgrade", ...where, ...setting({ ...someImage, replicas: 3 })]);
          } finally {
            await rm(folder, { recursive: true });
          }
          expect(await api().kubectl.value(".spec.replicas", ...deployment)).toBe("3");
          expect(await api().kubectl.value(".spec.names.shortNames", crd)).toBe('["ftvm","newer"]');
          expect(await api().kubectl.value(".metadata.uid", "ftvm", "kept")).toBe(uid);
        },
        timeoutMs,
      );

      test(
        "uninstalled, leaves the definition and the machines, which a new installation finds again",
        async () => {
          const { kubectl } = api();
          const uid = await kubectl.value(".metadata.uid", "ftvm", "kept");
          const said = await helm.run(["uninstall", release, "-n", namespace]);
          expect(said).toContain("[CustomResourceDefinition] ftvirtualmachines.lockstep.dev");
          const kinds = "deployment,service,serviceaccount,networkpolicy,pdb,role,rolebinding";
          const rest = ["-A", "-l", "app.kubernetes.io/instance=lockstep", "-o", "name"];
          expect(await kubectl.run(["get", kinds, ...rest])).toBe("");
          expect(await kubectl.run(["get", "clusterrole,clusterrolebinding", ...rest])).toBe("");
          expect(await kubectl.value(".metadata.uid", "ftvm", "kept")).toBe(uid);
          await install(...setting(someImage));
          expect(await kubectl.value(".metadata.uid", "ftvm", "kept")).toBe(uid);
          expect(await kubectl.value(".spec.names.shortNames", crd)).toBe('["ftvm"]');
        },
        timeoutMs,
      );

      test("the page about installing tells how to get rid of machines that no operator looks after", async () => {
        const { kubectl } = api();
        const finalizers = ["lockstep.dev/power-off"];
        await kubectl.run(["create", "serviceaccount", "default", "-n", "default"]);
        await kubectl.apply([machine("orphan", { finalizers }), orphanedRunner()]);
        // What the garbage collector, which there is none at this level, does when the machine has gone.
        await kubectl.run(["delete", "pod", "orphan-runner-1", "-n", "default", "--wait=false"]);
        const page = await readFile(path.join(root, "docs", "install.md"), "utf8");
        const block = /^<!-- without an operator -->\n\n((?: {4}.*\n)+)/m.exec(page)?.[1] ?? "";
        expect(block).toContain("kubectl patch");
        const env = {
          ...kubectl.env,
          PATH: `${path.dirname(kubectl.program)}:${process.env["PATH"]}`,
        };
        await run("sh", ["-ec", block], { env });
        expect(await kubectl.run(["get", "ftvm,pods", "-n", "default", "-o", "name"])).toBe("");
      });

      test(
        "with crds.keep=false takes the definition, and every machine, with it",
        async () => {
          const { kubectl } = api();
          const where = [release, chart, "--namespace", namespace];
          await helm.run(["upgrade", ...where, ...setting({ ...someImage, "crds.keep": false })]);
          await helm.run(["uninstall", release, "-n", namespace]);
          await until("the definition to go", async () => {
            const { code } = await kubectl.attempt(["get", crd]);
            return code === 0 ? null : true;
          });
        },
        timeoutMs,
      );
    });
  });
});

function machine(name: string, more: object = {}): object {
  const metadata = { name, namespace: "default", ...more };
  return { apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine", metadata, spec: {} };
}

/** On no node: nobody ends it. */
function orphanedRunner(): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ name: "orphan-runner-1", namespace: "default", finalizers: ["lockstep.dev/runner"] },
      labels: { "lockstep.dev/component": "runner" },
    },
    spec: { containers: [{ name: "runner", image: "registry.example.com/lockstep" }] },
  };
}
