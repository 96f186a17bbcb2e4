/** The examples, as users apply them: a real API server takes each, with no field that it does not know. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { apiVersion, plural } from "../../src/operator/api/v1alpha1.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";

const project = (place: string) => fileURLToPath(new URL(`../../${place}`, import.meta.url));
const definition = project("crds/lockstep.dev_ftvirtualmachines.yaml");
const folder = project("examples");
const examples = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
const machines = `/apis/${apiVersion}/namespaces/default/${plural}`;
const linesMax = 60;

describeWithApi(`the examples${unlessSkipped}`, () => {
  const api = withApi("examples");

  beforeAll(async () => {
    await api().kubectl.run(["apply", "-f", definition]);
    await until("the resource to be served", async () => {
      const { status } = await api().admin.get(machines);
      return status === 200 ? true : null;
    });
  }, 60_000);

  test("are those that the documentation names", () => {
    expect(examples.toSorted()).toEqual([
      "counter.yaml",
      "imported-kernel.yaml",
      "several.yaml",
      "web-server.yaml",
    ]);
  });

  test.each(examples)("%s is accepted as it is, strictly", async (name) => {
    const apply = ["apply", "--dry-run=server", "--validate=strict", "-f", `${folder}/${name}`];
    const { code, stdout, stderr } = await api().kubectl.attempt(apply);
    expect([code, stderr]).toEqual([0, ""]);
    const documents = readFileSync(`${folder}/${name}`, "utf8").split(/^kind: /m).length - 1;
    expect(stdout.match(/created \(server dry run\)/g)).toHaveLength(documents);
  });

  test.each(examples)("%s is short, and begins with what it is for", (name) => {
    const text = readFileSync(`${folder}/${name}`, "utf8");
    expect(text).toMatch(/^# [A-Z]/);
    expect(text.split("\n").length).toBeLessThanOrEqual(linesMax);
  });
});
