/** What the chart makes of values, in files that show each change of it; and the plain manifests. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { operatorCommand } from "../../src/cli/operator.ts";
import {
  chart,
  describeWithHelm,
  expectFile,
  helm,
  namespace,
  setting,
  someImage,
  template,
  unlessNoHelm,
  type Values,
} from "./chart.ts";
import { plainManifests } from "./plain-manifests.ts";

/** Each is a file of golden/. The definition of the resource is in the plain manifests. */
const sets: Readonly<Record<string, Values>> = {
  "two-namespaces": {
    "image.repository": "registry.example.com:5000/team/lockstep",
    "image.digest": `sha256:${"0".repeat(64)}`,
    "image.pullSecrets": ["registry"],
    "runner.image": "registry.example.com:5000/team/lockstep:0.0.9",
    "crds.enabled": false,
    watchNamespaces: ["blue", "green"],
    apiServerPorts: [6443],
    "networkPolicy.metricsFrom": [{ namespaceSelector: { matchLabels: { name: "monitoring" } } }],
    "serviceAccount.annotations": { "example.com/role": "lockstep" },
    priorityClassName: "system-cluster-critical",
    nodeSelector: { "example.com/pool": "system" },
    tolerations: [{ key: "node-role.kubernetes.io/control-plane", operator: "Exists" }],
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [] } },
    podAnnotations: { "example.com/note": "yes" },
    podLabels: { "example.com/team": "vms" },
    "monitoring.podMonitor": { enabled: true, labels: { release: "prometheus" } },
    "monitoring.serviceMonitor": { enabled: true, interval: "1m" },
  },
  "as-little-as-possible": {
    ...someImage,
    "crds.enabled": false,
    replicas: 1,
    resources: null,
    "serviceAccount.create": false,
    "serviceAccount.name": "there-already",
    "rbac.userRoles": false,
    "networkPolicy.enabled": false,
  },
};

describeWithHelm(`the chart${unlessNoHelm}`, () => {
  test.each(Object.entries(sets))("makes of the values %s what it did", async (name, values) => {
    await expectFile(`test/chart/golden/${name}.yaml`, await template(values));
  });

  test("is the source of the manifests for kubectl", async () => {
    const values = { "image.repository": "lockstep.invalid/lockstep", "crds.keep": false };
    await expectFile("manifests/lockstep.yaml", plainManifests(await template(values), namespace));
  });

  test.each(Object.values(sets))(
    "gives the operator arguments that it understands",
    async (values) => {
      const rendered = await template(values);
      const lines = /^ {10}args:\n((?: {12}- .*\n)+)/m.exec(rendered)?.[1] ?? "";
      const [command, ...args] = [...lines.matchAll(/- (.*)/g)].map(
        ([, argument = ""]) => argument,
      );
      expect(command).toBe("operator");
      const { operands, unknown } = operatorCommand().exitOverride().parseOptions(args);
      expect([args.length > 5, operands, unknown]).toEqual([true, [], []]);
    },
  );

  test("has the alerts, with an address for readers before the runbooks", async () => {
    const rules = { "monitoring.rules.enabled": true, "crds.enabled": false, ...someImage };
    const alerts = await readFile(path.join(chart, "files", "alerts.yaml"), "utf8");
    const indented = alerts.trim().replace(/^/gm, "  ");
    expect(await template(rules)).toContain(indented);
    const base = "https://git.example.com/lockstep/";
    const based = await template({ ...rules, "monitoring.rules.runbookBase": base });
    expect(based).toContain(
      indented.replaceAll("_url: ", "_url: https://git.example.com/lockstep/"),
    );
  });

  test("quotes names of digits, which YAML would take for numbers", async () => {
    const values = {
      ...{ ...someImage, "crds.enabled": false, fullnameOverride: "123", priorityClassName: "5" },
      ...{ "image.pullSecrets": ["6"], "serviceAccount.name": "7", watchNamespaces: ["8"] },
      ...{ "monitoring.podMonitor.enabled": true, "monitoring.serviceMonitor.enabled": true },
      ...{ "monitoring.rules.enabled": true, "monitoring.dashboards.enabled": true },
    };
    const where = ["template", "1", chart, "--namespace", "2024", ...setting(values)];
    const rendered = await helm().run(where);
    const named = /^[\s-]*[\w./]*(name|namespace|instance|serviceAccountName|ClassName): \S+$/gim;
    const names = rendered.match(named) ?? [];
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((line) => /: \d+$/.test(line))).toEqual([]);
  });

  test("has every dashboard, to the byte", async () => {
    const folder = path.join(chart, "files", "dashboards");
    const names = (await readdir(folder)).sort();
    const rendered = await template({
      ...{ ...someImage, "crds.enabled": false },
      "monitoring.dashboards": { enabled: true, annotations: { folder: "Lockstep" } },
    });
    expect(rendered.match(/^ {2}lockstep-\S+\.json: \|$/gm)).toHaveLength(names.length);
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) {
      const text = (await readFile(path.join(folder, name), "utf8")).trim();
      expect(rendered.includes(text.replace(/^/gm, "    "))).toBe(true);
    }
  });

  test("is without fault for helm lint --strict", async () => {
    for (const values of [{}, ...Object.values(sets)]) {
      const { code, stdout } = await helm().attempt([
        "lint",
        "--strict",
        chart,
        ...setting(values),
      ]);
      expect([code, stdout]).toEqual([0, expect.stringContaining("0 chart(s) failed")]);
    }
  });

  test("as a package makes the same as the folder", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "chart-"));
    try {
      await helm().run(["package", chart, "--destination", folder]);
      const values = { ...someImage, "monitoring.dashboards.enabled": true };
      const packaged = await template(values, path.join(folder, "lockstep-0.1.0.tgz"));
      expect(packaged).toBe(await template(values));
      expect(packaged).toContain("\nkind: CustomResourceDefinition\n");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
